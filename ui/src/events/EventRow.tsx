/** One event: when, how bad, what; and all of its fields, for those who ask. */
import { useState } from "preact/hooks";

import type { ServerEvent } from "../api/types";
import { address } from "../app/router";
import { Icon } from "../common/Icon";
import { formatClock, formatMoment, shownZone } from "../common/time";
import { toneOf, type Tone } from "./families";
import { sentence, type Part } from "./sentences";

const SIGNS = { bad: "critical", warn: "warning", good: "good" } as const;
const WORDS: Record<Tone, string> = { bad: "Error:", warn: "Warning:", good: "", plain: "" };

export function EventRow({ event }: { event: ServerEvent }) {
  const [open, setOpen] = useState(false);
  const tone = toneOf(event);
  return (
    <li class={`event ${tone}`}>
      <time class="num soft" dateTime={new Date(event.utc_ms).toISOString()}>
        {formatClock(event.utc_ms, shownZone.value, "ms")}
      </time>
      <span class="sign">{tone === "plain" ? null : <Icon name={SIGNS[tone]} />}</span>
      <span class="said">
        {WORDS[tone] !== "" && <span class="visually-hidden">{WORDS[tone]} </span>}
        {sentence(event).map(shown)}
      </span>
      <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary aria-label={`All fields of ${event.event}`}>
          <code>{event.event}</code>
        </summary>
        {open && <pre tabIndex={0}>{JSON.stringify(event, null, 2)}</pre>}
      </details>
    </li>
  );
}

function shown(part: Part) {
  if (typeof part === "string") return part;
  if ("moment" in part) return <span class="num">{formatMoment(part.moment, shownZone.value)}</span>;
  return <a href={address(["streams", part.stream])}>{part.stream}</a>;
}
