/** The picture, and what is to be said over it: that it loads, why there is none, that a gap was passed, the keys. */
import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from "@preact/signals";
import type { RefObject } from "preact";

import { Icon } from "../common/Icon";
import { formatMoment, formatSpan, type Zone } from "../common/time";
import type { Player } from "./createPlayer";
import { HELP } from "./keys";

interface Props {
  video: RefObject<HTMLVideoElement | null>;
  player: Player | null;
  label: string;
  zone: ReadonlySignal<Zone>;
  /** Whether the keys are shown. */
  help: boolean;
  onHelp: () => void;
}

const PATIENCE_MS = 400;

export function Picture({ video, player, label, zone, help, onHelp }: Props) {
  return (
    <div class="picture">
      <video ref={video} playsInline aria-label={label} onClick={() => player?.toggle()} />
      {player?.soundOnly.value && (
        <p class="picture-sound">
          <Icon name="sound" />
          Sound only
        </p>
      )}
      {player !== null && <Waiting player={player} />}
      {player !== null && <Trouble player={player} />}
      <div class="picture-notes" role="status">
        {player !== null && <Passed player={player} zone={zone} />}
      </div>
      {help && <Keys onClose={onHelp} />}
    </div>
  );
}

/** Nothing is said of what takes a moment only. */
function Waiting({ player }: { player: Player }) {
  const loading = useComputed(() => player.state.value === "loading");
  const long = useSignal(false);
  useSignalEffect(() => {
    long.value = false;
    if (!loading.value) return;
    const timer = setTimeout(() => (long.value = true), PATIENCE_MS);
    return () => clearTimeout(timer);
  });
  return long.value ? <div class="picture-wait" aria-label="Loading" role="img" /> : null;
}

function Trouble({ player }: { player: Player }) {
  const problem = player.error.value;
  if (problem === null) return null;
  return (
    <div class="picture-trouble" role="alert">
      <Icon name="warning" />
      <p>{problem.text}</p>
      <div class="row">
        <button onClick={() => player.retry()}>Try again</button>
        {player.mode.value === "archive" && <button onClick={() => player.playLive()}>Watch live</button>}
      </div>
    </div>
  );
}

function Passed({ player, zone }: { player: Player; zone: ReadonlySignal<Zone> }) {
  const gap = player.gap.value;
  if (gap === null) return null;
  return (
    <p class="picture-note">
      Nothing is recorded for {formatSpan(gap[1] - gap[0])}. It goes on at{" "}
      <span class="num">{formatMoment(gap[1], zone.value)}</span>.
    </p>
  );
}

function Keys({ onClose }: { onClose: () => void }) {
  return (
    <div class="picture-keys" role="region" aria-label="Keys">
      <dl>
        {HELP.map(([keys, what]) => (
          <div key={keys}>
            <dt>{keys.split(/\s+/).map((key) => (key === "…" ? "…" : <kbd key={key}>{key}</kbd>))}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button class="quiet icon" aria-label="Hide the keys" onClick={onClose}>
        <Icon name="close" />
      </button>
    </div>
  );
}
