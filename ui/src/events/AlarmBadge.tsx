/** How many alarms there are, beside the name of the screen that shows them. */
import { useEffect } from "preact/hooks";

import { alarms, watchAlarms } from "./alarms";

export function AlarmBadge() {
  useEffect(watchAlarms, []);
  const now = alarms.value ?? [];
  if (now.length === 0) return null;
  const critical = now.some((alarm) => alarm.severity === "critical");
  return (
    <span class={critical ? "badge bad" : "badge warn"}>
      {now.length}
      <span class="visually-hidden"> {now.length === 1 ? "alarm" : "alarms"}</span>
    </span>
  );
}
