/** One stream of the list: a row of the table, or a card where the screen is narrow. */
import { address, go } from "../app/router";
import { serverNow } from "../api/http";
import { formatBytes } from "../common/bytes";
import { Name } from "../common/Name";
import { formatBitrate, formatDepth, formatRecorded } from "./figures";
import { rowOf } from "./list";
import type { Row } from "./row";
import { State } from "./State";
import { Thumbnail } from "./Thumbnail";

interface Props {
  name: string;
  /** Its place in the whole list, from 0. */
  at: number;
}

export function StreamRow({ name, at }: Props) {
  const row = rowOf(name).value;
  return (
    <tr aria-rowindex={at + 2} onClick={(event) => open(event, name)}>
      <td class="column-picture">
        <Thumbnail name={name} picture={row.picture} />
      </td>
      <td>
        <Names row={row} />
      </td>
      <td>
        <State state={row.state} reason={row.reason} />
      </td>
      <td class="num">{formatBitrate(row.bitrate)}</td>
      <td class="soft column-codecs">{row.codecs}</td>
      <td class="num">{formatRecorded(row.recorded, row.depth)}</td>
      <td class="num">{row.bytes > 0 ? formatBytes(row.bytes) : "–"}</td>
      <td class="num">{row.viewers}</td>
      <td class="num">{uptime(row)}</td>
    </tr>
  );
}

export function StreamCard({ name, at, of }: Props & { of: number }) {
  const row = rowOf(name).value;
  return (
    <li class="stream-card" aria-posinset={at + 1} aria-setsize={of} onClick={(event) => open(event, name)}>
      <Thumbnail name={name} picture={row.picture} />
      <div class="grow">
        <Names row={row} />
        <State state={row.state} reason={row.reason} />
        <div class="soft small num stream-card-figures">
          {[
            row.bitrate > 0 && formatBitrate(row.bitrate),
            row.depth > 0 && formatRecorded(row.recorded, row.depth),
            row.bytes > 0 && formatBytes(row.bytes),
            row.viewers > 0 && `${row.viewers} watching`,
          ]
            .filter(Boolean)
            .join(" · ")}
        </div>
      </div>
    </li>
  );
}

function Names({ row }: { row: Row }) {
  return (
    <div class="stream-name">
      <a href={address(["streams", row.name])} title={row.name}>
        <Name of={row.name} />
      </a>
      {row.title !== "" && (
        <span class="soft small" title={row.title}>
          <Name of={row.title} />
        </span>
      )}
    </div>
  );
}

const uptime = ({ openedAt }: Row): string =>
  openedAt === null ? "–" : formatDepth(Math.max(0, Math.floor((serverNow() - openedAt) / 1000)));

/** All of the line leads to the stream, but for links, which do so themselves, and for text that is being marked. */
function open(event: MouseEvent, name: string): void {
  if ((event.target as Element).closest("a") !== null || getSelection()?.type === "Range") return;
  go(["streams", name]);
}
