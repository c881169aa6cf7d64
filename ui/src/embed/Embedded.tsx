/**
 * A stream in a frame of another site: the picture, what is to be said over it, a bar of buttons, the timeline.
 *
 *     recording_status.json  --each 10 s-->  archive  -->  Timeline  --onSeek-->  Player
 */
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { createPlayer, type Player } from "../player/createPlayer";
import type { Span } from "../api/types";
import { Icon } from "../common/Icon";
import { poll } from "../common/poll";
import { HOUR_MS, shownZone } from "../common/time";
import { Timeline } from "../timeline/Timeline";
import { reveal, showing, upToNow, type View } from "../timeline/view";
import { Bar } from "./Bar";
import { Export } from "./Export";
import { Limits } from "./limits";
import { nothing, readRecorded } from "./recorded";
import type { Wishes } from "./wishes";

interface Props {
  name: string;
  wishes: Wishes;
  /** Which other streams there are. */
  children: ComponentChildren;
}

const ASK_MS = 10_000;
const TICK_MS = 500;

export function Embedded({ name, wishes, children }: Props) {
  const frame = useRef<HTMLElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const aheadMs = useSignal(0);
  const now = useSignal(Date.now());
  const archive = useSignal(nothing(name, now.peek()));
  /** Whether `archive` is what the server has said. */
  const known = useSignal(false);
  /** It has answered, be it with a refusal: then the player says why. */
  const asked = useSignal(false);
  const view = useSignal<View>(firstView(wishes, now.peek()));
  const selection = useSignal<Span | null>(null);
  const player = useSignal<Player | null>(null);
  const begun = useSignal(false);

  useEffect(() => {
    if (video.current === null) return;
    video.current.volume = wishes.volume;
    video.current.muted = wishes.mute;
    const made = createPlayer(video.current, {
      name,
      token: wishes.token,
      now: () => now.peek(),
      recorded: () => (known.peek() ? archive.peek().ranges : null),
    });
    player.value = made;
    return () => made.destroy();
  }, []);
  // A moment of the archive begins once it is known what there is.
  useSignalEffect(() => {
    const made = player.value;
    const ready = wishes.from === null || !wishes.dvr || asked.value;
    if (made !== null && ready && wishes.autoplay && !begun.peek()) begin(made);
  });
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now() + aheadMs.peek();
    }, TICK_MS);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    if (!wishes.dvr) return;
    return poll(async (abort) => {
      try {
        const read = await readRecorded(name, wishes.token, abort);
        aheadMs.value = read.aheadMs;
        archive.value = read.timeline;
        known.value = true;
      } finally {
        asked.value = true;
      }
    }, ASK_MS);
  }, []);
  useEffect(() => {
    const limits = new Limits(wishes.to, wishes.playDurationMs);
    const timer = setInterval(() => {
      const state = player.peek()?.state.peek();
      if (limits.over(player.peek()?.position.peek() ?? null, state === "playing", performance.now())) {
        player.peek()?.pause();
      }
    }, 100);
    return () => clearInterval(timer);
  }, []);

  function begin(made: Player): void {
    begun.value = true;
    if (wishes.from === null) made.playLive();
    else made.playAt(wishes.from);
  }
  function toggle(): void {
    const made = player.peek();
    if (made === null) return;
    if (begun.peek()) made.toggle();
    else begin(made);
  }
  function live(): void {
    begun.value = true;
    player.peek()?.playLive();
  }
  function seek(ms: number): void {
    begun.value = true;
    player.peek()?.playAt(ms);
  }

  const position = useComputed(() => player.value?.position.value ?? null);
  useSignalEffect(() => {
    if (selection.value !== null) view.value = reveal(view.peek(), selection.value[0]);
  });

  const problem = player.value?.error.value ?? null;
  return (
    <main ref={frame} class={wishes.dvr ? "embedded dvr" : "embedded"}>
      <h1 class="visually-hidden">{name}</h1>
      <div class="embedded-picture">
        <video ref={video} playsInline aria-label={name} onClick={toggle} />
        {problem !== null ? (
          <div class="embedded-told" role="alert">
            <Icon name="warning" />
            <p>{problem.text}</p>
            <button onClick={() => player.peek()?.retry()}>Try again</button>
          </div>
        ) : (
          !begun.value &&
          player.value !== null && (
            <button class="embedded-begin" aria-label={`Play ${name}`} onClick={toggle}>
              <Icon name="play" />
            </button>
          )
        )}
      </div>
      {player.value !== null && video.current !== null && (
        <Bar player={player.value} video={video.current} frame={frame} onToggle={toggle} onLive={live}>
          {children}
          {wishes.dvr && (
            <Export {...{ name, token: wishes.token, limitMs: wishes.exportLimitMs, selection, position, now }} />
          )}
        </Bar>
      )}
      {wishes.dvr && (
        <Timeline
          archive={archive}
          now={now}
          view={view}
          position={position}
          selection={selection}
          zone={shownZone}
          onSeek={seek}
          preview={() => null}
        />
      )}
    </main>
  );
}

/** What is asked for, or the last hour. */
function firstView({ from, to }: Wishes, now: number): View {
  if (from === null) return upToNow(now, HOUR_MS);
  return showing([from, Math.max(from + 60_000, to ?? Math.min(now, from + HOUR_MS))]);
}
