/** All streams together, in one line. */
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";

import { account, request } from "../api/http";
import { formatBytes } from "../common/bytes";
import { poll } from "../common/poll";
import { formatBitrate } from "./figures";
import type { Row } from "./row";

interface Disk {
  name: string;
  root: string;
  disk_usage_limit?: number;
  stats: { usage?: number; error?: string };
}

const EVERY_MS = 30_000;

export function Totals({ rows }: { rows: readonly Row[] }) {
  const disks = useSignal<readonly Disk[]>([]);
  useEffect(
    () =>
      poll(async (abort) => {
        if (account.value === null) return;
        disks.value = (await request<{ dvrs: Disk[] }>("GET", "dvrs?limit=100", undefined, abort)).dvrs;
      }, EVERY_MS),
    [],
  );
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
  const errors = sum(({ state }) => Number(state === "error"));
  return (
    <dl class="totals card">
      <Total title="Streams" value={rows.length} />
      <Total title="Recording" value={sum(({ state }) => Number(state === "recording"))} />
      {errors > 0 && <Total title="With errors" value={errors} bad />}
      <Total title="Incoming" value={formatBitrate(sum(({ bitrate }) => bitrate))} />
      <Total title="Viewers" value={sum(({ viewers }) => viewers)} />
      <Total title="Recorded" value={formatBytes(sum(({ bytes }) => bytes))} />
      {disks.value.map(({ name, root, stats, disk_usage_limit = 0 }) => (
        <Total
          key={name}
          title={`Disk of ${name}`}
          hint={root}
          value={
            stats.error !== undefined ? "not usable" : stats.usage !== undefined ? `${stats.usage.toFixed(0)} %` : "–"
          }
          bad={stats.error !== undefined || (stats.usage ?? 0) > Math.max(95, disk_usage_limit + 2)}
        />
      ))}
    </dl>
  );
}

function Total({
  title,
  value,
  hint,
  bad = false,
}: {
  title: string;
  value: string | number;
  hint?: string;
  bad?: boolean;
}) {
  return (
    <div title={hint}>
      <dt>{title}</dt>
      <dd class={bad ? "num bad" : "num"}>{value}</dd>
    </div>
  );
}
