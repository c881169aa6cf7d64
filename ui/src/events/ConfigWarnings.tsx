/** What the configuration says and hardly means: shown until the file is changed and read again. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { readConfigWarnings, type ConfigWarning } from "../api/events";
import { Icon } from "../common/Icon";
import { poll } from "../common/poll";

const EVERY_MS = 30_000;

export function ConfigWarnings() {
  const warnings = useSignal<readonly ConfigWarning[]>([]);
  useEffect(
    () =>
      poll(async (abort) => {
        warnings.value = await readConfigWarnings(abort);
      }, EVERY_MS),
    [],
  );
  if (warnings.value.length === 0) return null;
  return (
    <section class="alarms" aria-labelledby="warnings-title">
      <h2 id="warnings-title">Configuration</h2>
      <ul class="card">
        {warnings.value.map(({ text }) => (
          <li key={text} class="warning">
            <strong class="severity">
              <Icon name="warning" />
              Warning
            </strong>
            <span class="grow anywhere">{text}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
