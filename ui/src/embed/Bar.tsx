/** Buttons below the picture: play, live, sound, the moment that is shown, the whole screen. */
import type { ComponentChildren, RefObject } from "preact";

import type { Player } from "../player/createPlayer";
import { Sound } from "../player/Sound";
import { Icon } from "../common/Icon";
import { Sign } from "../common/Sign";
import { formatMoment, shownZone } from "../common/time";

interface Props {
  player: Player;
  video: HTMLVideoElement;
  frame: RefObject<HTMLElement | null>;
  onToggle: () => void;
  onLive: () => void;
  children: ComponentChildren;
}

export function Bar({ player, video, frame, onToggle, onLive, children }: Props) {
  const playing = player.state.value === "playing" || player.state.value === "loading";
  const position = player.seeking.value ?? player.position.value;
  return (
    <div class="embedded-bar" role="group" aria-label="Player">
      <Sign name={playing ? "pause" : "play"} label={playing ? "Pause" : "Play"} onClick={onToggle} />
      <button class="embedded-live" aria-pressed={player.live.value} onClick={onLive}>
        <Icon name="live" />
        Live
      </button>
      <Sound video={video} />
      <span class="embedded-moment num">{position === null ? "" : formatMoment(position, shownZone.value)}</span>
      <span class="grow" />
      {children}
      {document.fullscreenEnabled && <Sign name="full" label="Whole screen" onClick={() => void turn(frame.current)} />}
    </div>
  );
}

async function turn(frame: HTMLElement | null): Promise<void> {
  if (document.fullscreenElement !== null) await document.exitFullscreen();
  else await frame?.requestFullscreen().catch(() => {}); // the site around may forbid it
}
