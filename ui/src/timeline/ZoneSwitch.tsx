/** Local time or UTC; kept in this browser. */
import { shownZone, zoneTitle, type Zone } from "../common/zone";

const CHOICES: readonly Zone[] = ["local", "utc"];

export function ZoneSwitch() {
  return (
    <div class="switch" role="group" aria-label="Time zone">
      {CHOICES.map((zone) => (
        <button
          key={zone}
          aria-pressed={shownZone.value === zone}
          title={zone === "local" ? `this browser's time: ${zoneTitle(Date.now(), zone)}` : undefined}
          onClick={() => {
            shownZone.value = zone;
          }}
        >
          {zone === "local" ? "Local" : "UTC"}
        </button>
      ))}
    </div>
  );
}
