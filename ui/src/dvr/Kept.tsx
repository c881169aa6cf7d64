/** What is locked: kept whatever the limits say. */
import { inPath, mayEdit, request } from "../api/http";
import type { Span } from "../api/types";
import { say, sayWhy } from "../app/toasts";
import { Icon } from "../common/Icon";
import { formatMoment, formatSpan, shownZone } from "../common/time";
import type { Archive } from "./archive";

interface Props {
  name: string;
  archive: Archive;
  onShow: (ms: number) => void;
}

export function Kept({ name, archive, onShow }: Props) {
  const locks = archive.timeline.value.locks;
  if (locks.length === 0) return null;

  async function unlock([begin, end]: Span): Promise<void> {
    try {
      const window = { from: begin / 1000, duration: (end - begin) / 1000 };
      await request("DELETE", `streams/${inPath(name)}/dvr/locks`, window);
      await archive.reload();
      say("Not locked any more.");
    } catch (error) {
      sayWhy(error);
    }
  }

  return (
    <section class="dvr-list card" aria-label="Locked">
      <h2>Locked</h2>
      <ul>
        {locks.map((lock) => (
          <li key={lock[0]}>
            <button class="quiet dvr-moment num grow" onClick={() => onShow(lock[0])}>
              {formatMoment(lock[0], shownZone.value)}
            </button>
            <span class="num soft">{formatSpan(lock[1] - lock[0])}</span>
            {mayEdit.value && (
              <button class="quiet icon" aria-label="Unlock" title="Unlock" onClick={() => void unlock(lock)}>
                <Icon name="unlock" />
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
