/** What was recorded while the clock was wrong: kept, and in no list until somebody dates it anew. */
import { formatMoment, formatSpan, shownZone } from "../common/time";
import type { Archive } from "./archive";

export function Misdated({ name, archive }: { name: string; archive: Archive }) {
  const misdated = archive.timeline.value.misdated ?? [];
  if (misdated.length === 0) return null;
  const zone = shownZone.value;
  return (
    <section class="dvr-list card" aria-label="With a wrong date">
      <h2>With a wrong date</h2>
      <p class="soft small">
        Recorded while the server's clock was wrong. Nothing is lost; <code>flussdvr redate</code> moves them to their
        true time (stream <bdi>{name}</bdi>).
      </p>
      <ul>
        {misdated.map(([begin, end, shift]) => (
          <li key={begin}>
            <span class="num grow">{formatMoment(begin, zone)}</span>
            <span class="num soft">{formatSpan(end - begin)}</span>
            <span class="num soft">
              {shift === null ? "true time unknown" : `really ${formatMoment(begin + shift, zone)}`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
