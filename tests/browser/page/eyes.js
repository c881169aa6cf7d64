// What is really shown: the clock that is burnt into the picture, read from the pixels of the page's <video>.

import { until } from "./house.js";

export const FPS = 25;
export const FRAME_MS = 1000 / FPS;

/** UTC (ms) of the picture that is shown now; null: none, or without a clock. `frame`: a page or a frame in it. */
export async function shownMs(frame) {
  const stamp = await frame.evaluate(() => {
    const video = document.querySelector("video");
    if (!video || !video.videoWidth || video.readyState < 2) return null;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, 32];
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(video, 0, 0);
    return readStamp(pen.getImageData(0, 0, canvas.width, 32).data, canvas.width);
  });
  return stamp === null ? null : Math.round(1000 * (stamp[0] + stamp[1] / FPS));
}

/** Pictures follow each other: the first and the last that were seen. */
export async function plays(frame, ms = 30_000) {
  let first = null;
  return until(
    "the picture does not move",
    async () => {
      const now = await shownMs(frame);
      first ??= now;
      return now !== null && now >= first + 400 && [first, now];
    },
    ms,
  );
}
