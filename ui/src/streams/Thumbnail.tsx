/**
 * The newest picture of a stream, small. Only what is on the screen asks for one, and not at once: whoever scrolls past
 * costs nothing.
 */
import { useEffect, useRef, useState } from "preact/hooks";

import { inPath } from "../api/http";
import type { Row } from "./row";

const EVERY_MS = 10_000;
const PATIENCE_MS = 200;
const WIDTH = 160;
const HEIGHT = 90;

interface Props {
  name: string;
  picture: Row["picture"];
}

export function Thumbnail({ name, picture }: Props) {
  const [shown, setShown] = useState(false);
  const canvas = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    setShown(false);
    if (picture === null) return;
    const draw = (source: CanvasImageSource, width: number, height: number) => {
      const context = canvas.current?.getContext("2d");
      if (!context || width === 0) return;
      const scale = Math.max(WIDTH / width, HEIGHT / height);
      const [w, h] = [width * scale, height * scale];
      context.drawImage(source, (WIDTH - w) / 2, (HEIGHT - h) / 2, w, h);
      setShown(true);
    };
    const load = picture === "jpg" ? pictures(draw) : videos(draw);
    let turn = Math.floor(Date.now() / 1000);
    let timer = setTimeout(next, PATIENCE_MS);
    function next(): void {
      if (!document.hidden) load(`/${inPath(name)}/preview.${picture}?width=${WIDTH}&at=${(turn += 1)}`);
      timer = setTimeout(next, EVERY_MS * (0.9 + Math.random() / 5));
    }
    return () => {
      clearTimeout(timer);
      load("");
    };
  }, [name, picture]);

  return (
    <span class={shown ? "thumbnail shown" : "thumbnail"}>
      <canvas ref={canvas} width={WIDTH} height={HEIGHT} aria-hidden="true" />
    </span>
  );
}

type Draw = (source: CanvasImageSource, width: number, height: number) => void;
/** Given an address, loads and draws; given none, stops. */
type Load = (url: string) => void;

function pictures(draw: Draw): Load {
  const image = new Image();
  image.decoding = "async";
  image.onload = () => draw(image, image.naturalWidth, image.naturalHeight);
  return (url) => {
    if (url === "") image.onload = null;
    image.src = url;
  };
}

function videos(draw: Draw): Load {
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  video.onloadeddata = () => {
    draw(video, video.videoWidth, video.videoHeight);
    video.removeAttribute("src");
    video.load();
  };
  return (url) => {
    if (url !== "") video.src = url;
    else {
      video.onloadeddata = null;
      video.removeAttribute("src");
      video.load();
    }
  };
}
