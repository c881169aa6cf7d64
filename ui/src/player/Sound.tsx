/** Whether there is sound, and how loud. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { Sign } from "../common/Sign";

interface Props {
  video: HTMLVideoElement;
  /** The key that does the same. */
  shortcut?: string;
}

export function Sound({ video, shortcut = "" }: Props) {
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
  return (
    <>
      <Sign
        name={muted.value ? "mute" : "sound"}
        label={`${muted.value ? "Sound on" : "Sound off"}${shortcut}`}
        onClick={() => {
          video.muted = !video.muted;
        }}
      />
      <input
        class="volume"
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
    </>
  );
}
