/** The row below the picture: play, a frame back and ahead, speed, the moment that is shown, live, sound, whole screen. */
import type { ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import { Icon } from "../common/Icon";
import { Sign } from "../common/Sign";
import { formatMoment, type Zone } from "../common/time";
import type { Player } from "./createPlayer";
import { RATES } from "./keys";
import { Sound } from "./Sound";

interface Props {
  player: Player;
  video: HTMLVideoElement;
  zone: ReadonlySignal<Zone>;
  onFull: () => void;
  onHelp: () => void;
  /** Between the moment and the sound. */
  children?: ComponentChildren;
}

export function Controls({ player, video, zone, onFull, onHelp, children }: Props) {
  return (
    <div class="controls" role="group" aria-label="Player">
      <PlayButton player={player} />
      <Sign name="left" label="A frame back ( , )" onClick={() => player.step(-1)} />
      <Sign name="right" label="A frame ahead ( . )" onClick={() => player.step(1)} />
      <Speed player={player} />
      <Live player={player} />
      <Moment player={player} zone={zone} />
      <span class="grow" />
      {children}
      <Sound video={video} shortcut=" (m)" />
      {document.fullscreenEnabled && <Sign name="full" label="Whole screen (f)" onClick={onFull} />}
      <button class="quiet icon controls-keys" aria-label="Keys (?)" title="Keys (?)" onClick={onHelp}>
        ?
      </button>
    </div>
  );
}

function PlayButton({ player }: { player: Player }) {
  const runs = player.state.value === "playing" || player.state.value === "loading";
  return (
    <Sign name={runs ? "pause" : "play"} label={runs ? "Pause (k)" : "Play (k)"} onClick={() => player.toggle()} />
  );
}

function Speed({ player }: { player: Player }) {
  return (
    <select
      class="num"
      aria-label="Speed"
      title="Speed (1 to 6)"
      value={String(player.rate.value)}
      onChange={(event) => player.setRate(Number(event.currentTarget.value))}
    >
      {RATES.map((rate) => (
        <option key={rate} value={String(rate)}>
          {rate}×
        </option>
      ))}
    </select>
  );
}

/** Pressed: live is shown. What is shown of the archive is said beside it. */
function Live({ player }: { player: Player }) {
  const live = player.live.value;
  return (
    <button class="controls-live" aria-pressed={live} title="To the present (End)" onClick={() => player.playLive()}>
      <Icon name="live" />
      {player.mode.value === "live" ? "Live" : "Go live"}
    </button>
  );
}

/** On its own, because it changes with each picture. */
function Moment({ player, zone }: { player: Player; zone: ReadonlySignal<Zone> }) {
  const ms = player.seeking.value ?? player.position.value;
  const precision = player.state.value === "paused" ? "ms" : "second";
  return (
    <time
      class="controls-moment num"
      data-ms={player.seeking.value === null ? (player.position.value ?? undefined) : undefined}
    >
      {ms === null ? "" : formatMoment(ms, zone.value, precision)}
    </time>
  );
}
