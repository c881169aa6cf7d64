/** A stream's state: a dot for the glance, a word for certainty. */
import type { State as Name } from "./row";

export function State({ state, reason = "" }: { state: Name; reason?: string }) {
  return (
    <span class={`state ${state}`}>
      <span class="state-dot" aria-hidden="true" />
      <span class="state-word">{state}</span>
      {reason !== "" && (
        <span class="state-reason" title={reason}>
          {reason}
        </span>
      )}
    </span>
  );
}
