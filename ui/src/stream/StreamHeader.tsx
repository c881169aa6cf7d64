/** The head of a stream's screen: its name, and what it does now. */
import type { ReadonlySignal } from "@preact/signals";

import type { Stream } from "../api/types";
import { formatBytes } from "../common/bytes";
import { Name } from "../common/Name";
import { formatBitrate, formatRecorded } from "../streams/figures";
import { toRow } from "../streams/row";
import { State } from "../streams/State";

export function StreamHeader({ name, stream }: { name: string; stream: ReadonlySignal<Stream | null> }) {
  const row = stream.value === null ? null : toRow(stream.value);
  return (
    <header class="stream-header">
      <h1 class="stream-heading" title={name}>
        <Name of={name} />
        {row !== null && row.title !== "" && (
          <span class="soft">
            <Name of={row.title} />
          </span>
        )}
      </h1>
      {row !== null && (
        <div class="stream-facts">
          <State state={row.state} reason={row.reason} />
          {row.bitrate > 0 && <span class="num">{formatBitrate(row.bitrate)}</span>}
          {row.codecs !== "" && <span class="soft">{row.codecs}</span>}
          {row.depth > 0 && (
            <span class="num" title="how much is recorded, over what span if there are gaps, and its size on the disk">
              {formatRecorded(row.recorded, row.depth)} recorded <span class="soft">({formatBytes(row.bytes)})</span>
            </span>
          )}
          <span class="num">{row.viewers === 1 ? "1 viewer" : `${row.viewers} viewers`}</span>
        </div>
      )}
    </header>
  );
}
