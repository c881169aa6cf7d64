/**
 * A stream's picture and its archive: watched live or at any moment, and what can be done with a part of it.
 *
 *     Picture, Controls      the player
 *     Timeline               what is recorded, where one is, what is chosen
 *     Chosen                 the part that is chosen: a file, a lock, a link, deleted
 *     Jobs, Kept             exports on the server, what is locked
 */
import { useComputed, useSignal, useSignalEffect, type ReadonlySignal, type Signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";

import { account, serverNow } from "../api/http";
import { resume } from "../api/signin";
import type { Span, Stream } from "../api/types";
import { amend, place } from "../app/router";
import { createPlayer, type Player } from "../player/createPlayer";
import { actionOf, ownsKey, type Action } from "../player/keys";
import { Controls } from "../player/Controls";
import { Picture } from "../player/Picture";
import { DAY_MS, HOUR_MS, shownZone } from "../common/time";
import { DateField } from "../timeline/DateField";
import { Timeline } from "../timeline/Timeline";
import { around, keepWithin, reveal, upToNow, type View } from "../timeline/view";
import { ZoneSwitch } from "../timeline/ZoneSwitch";
import { useArchive } from "./archive";
import { Chosen } from "./Chosen";
import { pictureUrl } from "./files";
import { Jobs } from "./Jobs";
import { Kept } from "./Kept";
import { Misdated } from "./Misdated";
import { MomentLink } from "./MomentLink";
import { readWish, spellWish } from "./wish";

const TICK_MS = 500;
const SHORTEST_VIEW_MS = 10 * 60_000;
const OFFERED_MS = 60_000;

export function DvrTab({ name, stream }: { name: string; stream: ReadonlySignal<Stream | null> }) {
  const [wish] = useState(() => readWish(place.peek().query));
  const frame = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const player = useSignal<Player | null>(null);
  const help = useSignal(false);
  const now = useSignal(serverNow());
  const archive = useArchive(name);
  const selection = useSignal<Span | null>(wish.chosen);
  const first = wish.at ?? wish.chosen?.[0] ?? null;
  const view = useSignal<View>(
    first === null ? upToNow(now.peek(), HOUR_MS) : keepWithin(around(first, HOUR_MS), first, now.peek()),
  );

  useEffect(() => {
    if (video.current === null) return;
    const made = createPlayer(video.current, {
      name,
      now: serverNow,
      recorded: () => (archive.known.peek() ? archive.timeline.peek().ranges : null),
    });
    player.value = made;
    if (first === null) made.playLive();
    else made.playAt(first);
    return () => made.destroy();
  }, []);
  useEffect(() => {
    const timer = setInterval(() => (now.value = serverNow()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  // The first answer says how much there is: all of it is shown, up to a day.
  useSignalEffect(() => {
    if (!archive.known.value || first !== null) return;
    const begin = archive.timeline.peek().ranges[0]?.[0];
    const length = begin === undefined ? HOUR_MS : (now.peek() - begin) * 1.05;
    view.value = upToNow(now.peek(), Math.min(DAY_MS, Math.max(SHORTEST_VIEW_MS, length)));
  });
  useAddress(player, selection, view);
  useSignInAgain(player);
  useKeys((action) => act(action));

  const position = useComputed(() => player.value?.seeking.value ?? player.value?.position.value ?? null);
  const thumbnails = useComputed(() => Boolean(stream.value?.thumbnails?.enabled ?? false));

  function seek(ms: number): void {
    player.peek()?.playAt(ms);
    view.value = reveal(view.peek(), ms);
  }

  function act(action: Action): void {
    const made = player.peek();
    if (made === null || video.current === null) return;
    const at = position.peek() ?? now.peek();
    switch (action.do) {
      case "toggle":
        return made.toggle();
      case "move":
        return seek(at + action.ms);
      case "step":
        return made.step(action.frames);
      case "rate":
        return made.setRate(action.rate);
      case "live":
        return made.playLive();
      case "first": {
        const begin = archive.timeline.peek().ranges[0]?.[0];
        return begin === undefined ? undefined : seek(begin);
      }
      case "in": {
        const end = selection.peek()?.[1] ?? 0;
        selection.value = [at, end > at ? end : Math.max(at + 1000, Math.min(at + OFFERED_MS, now.peek()))];
        return;
      }
      case "out": {
        const begin = selection.peek()?.[0] ?? at;
        selection.value = [begin < at ? begin : at - OFFERED_MS, at];
        return;
      }
      case "mute":
        video.current.muted = !video.current.muted;
        return;
      case "full":
        return void turnFull(frame.current);
      case "help":
        help.value = !help.value;
    }
  }

  const made = player.value;
  return (
    <div class="dvr">
      <div class="dvr-player" ref={frame}>
        <Picture
          video={video}
          player={made}
          label={`${name}, the picture`}
          zone={shownZone}
          help={help.value}
          onHelp={() => (help.value = false)}
        />
        {made !== null && video.current !== null && (
          <Controls
            player={made}
            video={video.current}
            zone={shownZone}
            onFull={() => void turnFull(frame.current)}
            onHelp={() => (help.value = !help.value)}
          >
            <MomentLink name={name} position={position} />
          </Controls>
        )}
      </div>
      <Timeline
        archive={archive.timeline}
        now={now}
        view={view}
        position={position}
        selection={selection}
        zone={shownZone}
        onSeek={seek}
        preview={(ms, width) => pictureUrl(name, ms, width, thumbnails.value)}
      >
        <DateField value={position} zone={shownZone} now={now} onChange={seek} label="Go to" />
        <ZoneSwitch />
      </Timeline>
      <Chosen
        name={name}
        stream={stream}
        archive={archive}
        selection={selection}
        now={now}
        onOffer={() => {
          const end = Math.min(position.peek() ?? now.peek(), now.peek());
          selection.value = [end - OFFERED_MS, end];
        }}
      />
      <div class="dvr-lists">
        <Jobs name={name} />
        <Kept name={name} archive={archive} onShow={seek} />
        <Misdated name={name} archive={archive} />
      </div>
    </div>
  );
}

/**
 * The address says what is chosen, and what another address says is done: the screen stays, the player goes there.
 *
 * Effects run some time after what they watch has changed. An address that this screen wrote itself says what was
 * chosen then, not what is wished now: it is told apart by `written`.
 */
function useAddress(player: ReadonlySignal<Player | null>, selection: Signal<Span | null>, view: Signal<View>): void {
  const done = useRef(place.peek().query.get("at"));
  const written = useRef(selection.peek());
  useSignalEffect(() => {
    const chosen = (written.current = selection.value);
    if (!isSame(chosen, readWish(place.peek().query).chosen)) amend(spellWish({ at: null, chosen }));
  });
  useSignalEffect(() => {
    const query = place.value.query;
    const { at, chosen } = readWish(query);
    if (chosen !== null && !isSame(chosen, written.current)) {
      selection.value = chosen;
      view.value = reveal(view.peek(), chosen[0]);
    }
    if (query.get("at") === done.current) return;
    done.current = query.get("at");
    if (at === null) return;
    player.peek()?.playAt(at);
    view.value = reveal(view.peek(), at);
  });
}

/** To the millisecond, as an address says it. */
function isSame(one: Span | null, other: Span | null): boolean {
  return (
    JSON.stringify(spellWish({ at: null, chosen: one })) === JSON.stringify(spellWish({ at: null, chosen: other }))
  );
}

/** A refusal may be the sign-in's end: then it is asked for, and it plays on afterwards. */
function useSignInAgain(player: ReadonlySignal<Player | null>): void {
  useSignalEffect(() => {
    const code = player.value?.error.value?.code;
    if (code === "denied" || code === "signed_out") void resume();
  });
  const signedIn = useComputed(() => account.value !== null);
  useSignalEffect(() => {
    const made = player.peek();
    if (signedIn.value && made?.error.peek() != null) made.retry();
  });
}

function useKeys(act: (action: Action) => void): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || ownsKey(event.target, event.key) || document.querySelector("dialog[open]")) return;
      const action = actionOf(event);
      if (action === null) return;
      event.preventDefault();
      latest.current(action);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

async function turnFull(frame: HTMLElement | null): Promise<void> {
  if (document.fullscreenElement !== null) await document.exitFullscreen();
  else await frame?.requestFullscreen().catch(() => {});
}
