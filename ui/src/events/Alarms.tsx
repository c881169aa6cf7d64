/** What is wrong now, the worst first. */
import { address } from "../app/router";
import type { Alarm } from "../api/types";
import { Icon } from "../common/Icon";
import { formatMoment, shownZone } from "../common/time";
import { alarms } from "./alarms";

export function Alarms() {
  const now = alarms.value;
  return (
    <section class="alarms" aria-labelledby="alarms-title">
      <h2 id="alarms-title">Alarms</h2>
      {now === null ? (
        <p class="soft">Asking the server …</p>
      ) : now.length === 0 ? (
        <p class="card calm">
          <Icon name="good" /> Nothing is wrong.
        </p>
      ) : (
        <ul class="card">
          {now.map((alarm) => (
            <Row key={alarm.id} alarm={alarm} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ alarm }: { alarm: Alarm }) {
  const { severity, since, title, media } = alarm;
  return (
    <li class={severity}>
      <strong class="severity">
        <Icon name={severity === "critical" ? "critical" : "warning"} />
        {severity === "critical" ? "Critical" : "Warning"}
      </strong>
      <span class="grow">{title}</span>
      <span class="soft small num">since {formatMoment(since, shownZone.value)}</span>
      {typeof media === "string" && (
        <a class="button quiet" href={address(["streams", media])} aria-label={`To the stream ${media}`}>
          {media}
          <Icon name="right" />
        </a>
      )}
    </li>
  );
}
