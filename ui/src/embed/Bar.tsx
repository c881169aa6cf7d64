/** Buttons below the picture: play, live, sound, the moment that is shown, the whole screen. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useEffect } from "preact/hooks";

import type { Player } from "../player/createPlayer";
import { Icon, type IconName } from "../shared/Icon";
import { formatMoment, shownZone } from "../shared/time";

interface Props {
  player: Player;
  video: HTMLVideoElement;
  frame: RefObject<HTMLElement | null>;
  onToggle: () => void;
  onLive: () => void;
  children: ComponentChildren;
}

export function Bar({ player, video, frame, onToggle, onLive, children }: Props) {
  const muted = useSignal(video.muted);
  const volume = useSignal(video.volume);
  useEffect(() => {
    const changed = () => {
      muted.value = video.muted;
      volume.value = video.volume;
    };
    video.addEventListener("volumechange", changed);
    return () => video.removeEventListener("volumechange", changed);
  }, [video]);

  const playing = player.state.value === "playing" || player.state.value === "loading";
  const position = player.seeking.value ?? player.position.value;
  const button = (name: IconName, label: string, onClick: () => void) => (
    <button class="quiet icon" aria-label={label} title={label} onClick={onClick}>
      <Icon name={name} />
    </button>
  );
  return (
    <div class="embedded-bar" role="group" aria-label="Player">
      {button(playing ? "pause" : "play", playing ? "Pause" : "Play", onToggle)}
      <button class="embedded-live" aria-pressed={player.live.value} onClick={onLive}>
        <Icon name="live" />
        Live
      </button>
      {button(muted.value ? "mute" : "sound", muted.value ? "Sound on" : "Sound off", () => {
        video.muted = !video.muted;
      })}
      <input
        class="embedded-volume"
        type="range"
        min="0"
        max="1"
        step="0.05"
        aria-label="Volume"
        value={muted.value ? 0 : volume.value}
        onInput={({ currentTarget }) => {
          video.volume = Number(currentTarget.value);
          video.muted = video.volume === 0;
        }}
      />
      <span class="embedded-moment num">{position === null ? "" : formatMoment(position, shownZone.value)}</span>
      <span class="grow" />
      {children}
      {document.fullscreenEnabled && button("full", "Whole screen", () => void turn(frame.current))}
    </div>
  );
}

async function turn(frame: HTMLElement | null): Promise<void> {
  if (document.fullscreenElement !== null) await document.exitFullscreen();
  else await frame?.requestFullscreen().catch(() => {}); // the site around may forbid it
}
