/**
 * The band itself: the canvas, and over it what pointers and keys take hold of.
 *
 *     [ruler: drag moves                       ]
 *     [bar: click goes there, drag scrubs      ]
 *        [limiter]==== chosen ====[limiter]
 *
 * Whatever changes asks for one frame; frames read nothing from the page.
 */
import { effect, useSignal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import type { Span } from "../api/types";
import type { AnyZone } from "../common/time";
import { Handle } from "./Handle";
import { barKey, limiterKey, type KeyDeed } from "./keys";
import { IDLE, step, type Deed, type Hands, type Part, type Touch } from "./gestures";
import type { Mover } from "./mover";
import { Painter } from "./paint";
import { onPaletteChange, readPalette } from "./palette";
import { Popup } from "./Popup";
import { limited, parked, type Limiter } from "./selection";
import { clamp, move, msAt, reveal, spanOf, xOf, zoom, type View } from "./view";
import { extentOf, type Zones } from "./zones";

export interface BandProps {
  zones: ReadonlySignal<Zones>;
  now: ReadonlySignal<number>;
  view: Signal<View>;
  mover: Mover;
  position: ReadonlySignal<number | null>;
  selection: Signal<Span | null>;
  zone: ReadonlySignal<AnyZone>;
  onSeek: (ms: number) => void;
  onScrub?: ((ms: number | null) => void) | undefined;
  preview: (ms: number, width: number) => string | null;
  /** What describes the band to those who do not see it. */
  describedBy: string;
}

/** Of a limiter's grip, CSS pixels; styles/timeline.css has the same. */
const GRIP = 14;
const WHEEL_ZOOM = 0.0016;
const PINCH_ZOOM = 0.01;
const LINE_PX = 16;

export function Band({
  zones,
  now,
  view,
  mover,
  position,
  selection,
  zone,
  onSeek,
  onScrub,
  preview,
  describedBy,
}: BandProps) {
  const band = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const begin = useRef<HTMLDivElement>(null);
  const end = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  const cursor = useSignal<number | null>(null);
  const hands = useRef<Hands>(IDLE);
  const left = useRef(0);
  const bounds = (): Span => {
    const [first] = extentOf(zones.peek(), now.peek());
    return [Math.round(first), Math.floor(now.peek() / 1000) * 1000];
  };

  useEffect(() => {
    const [element, sheet] = [band.current, canvas.current];
    if (element === null || sheet === null) return;
    const painter = new Painter(sheet);
    painter.colour(readPalette(element));
    let frame = 0;
    const draw = (): void => {
      frame = 0;
      painter.paint({
        zones: zones.peek(),
        view: view.peek(),
        now: now.peek(),
        zone: zone.peek(),
        position: position.peek(),
        cursor: cursor.peek(),
        selection: selection.peek(),
      });
      place(begin.current, "begin");
      place(end.current, "end");
    };
    const place = (grip: HTMLElement | null, limiter: Limiter): void => {
      if (grip === null) return;
      const chosen = selection.peek();
      const edge = limiter === "begin" ? 0 : width.peek();
      const x = chosen === null ? edge : xOf(view.peek(), width.peek(), chosen[limiter === "begin" ? 0 : 1]);
      const inside = x >= -0.5 && x <= width.peek() + 0.5;
      grip.style.visibility = inside ? "visible" : "hidden";
      const at = limiter === "begin" ? Math.max(x - GRIP, 0) : Math.min(x, width.peek() - GRIP);
      if (inside) grip.style.transform = `translateX(${at}px)`;
    };
    const ask = (): void => {
      if (frame === 0) frame = requestAnimationFrame(draw);
    };
    const resized = new ResizeObserver(([entry]) => {
      if (entry === undefined) return;
      width.value = entry.contentRect.width;
      measure();
      painter.resize(entry.contentRect.width, devicePixelRatio);
      // a canvas that is resized is empty: not for a frame
      draw();
    });
    resized.observe(element);
    const unpainted = onPaletteChange(() => {
      painter.colour(readPalette(element));
      ask();
    });
    const unwatched = effect(() => {
      void [zones.value, view.value, now.value, zone.value, position.value, cursor.value, selection.value];
      ask();
    });
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => {
      element.removeEventListener("wheel", onWheel);
      unwatched();
      unpainted();
      resized.disconnect();
      cancelAnimationFrame(frame);
    };
  }, []);

  function onWheel(event: WheelEvent): void {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : event.deltaMode === 2 ? width.peek() : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    const shown = view.peek();
    if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) {
      mover.set(move(shown, ((dx === 0 ? dy : dx) / width.peek()) * spanOf(shown)));
    } else {
      const rate = event.ctrlKey ? PINCH_ZOOM : WHEEL_ZOOM;
      const x = event.clientX - left.current;
      mover.set(zoom(shown, Math.exp(clamp(dy, -300, 300) * rate), msAt(shown, width.peek(), x)));
    }
    cursor.value = msAt(view.peek(), width.peek(), event.clientX - left.current);
  }

  function onPointer(event: PointerEvent): void {
    const part = (event.target as Element).closest<HTMLElement>("[data-part]")?.dataset.part as Part | undefined;
    const kind = KINDS[event.type];
    if (kind === undefined || (kind === "down" && (event.button !== 0 || part === undefined))) return;
    if (kind === "down") {
      measure();
      band.current?.setPointerCapture(event.pointerId);
      mover.stop();
    }
    const x = event.clientX - left.current;
    const touch: Touch = { kind, id: event.pointerId, x, time: event.timeStamp, part: part ?? "bar" };
    if (event.shiftKey) touch.choose = true;
    const stage = { view: view.peek(), width: width.peek(), selection: selection.peek(), bounds: bounds() };
    const [next, deeds] = step(hands.current, touch, stage);
    hands.current = next;
    deeds.forEach(act);
    point(event, x);
  }

  /** Where the line and the picture are: under a mouse always, under a finger while it scrubs. */
  function point(event: PointerEvent, x: number): void {
    const { is } = hands.current;
    const [first, last] = bounds();
    if (is === "limit") {
      const chosen = selection.peek();
      cursor.value = chosen === null ? null : chosen[hands.current.limiter === "begin" ? 0 : 1];
    } else if (is === "scrub")
      cursor.value = clamp(msAt(view.peek(), width.peek(), clamp(x, 0, width.peek())), first, last);
    else if (event.pointerType === "mouse" && is !== "move") cursor.value = msAt(view.peek(), width.peek(), x);
    else cursor.value = null;
  }

  /** Only when something begins: the page may have been laid out anew. */
  function measure(): void {
    left.current = band.current?.getBoundingClientRect().left ?? 0;
  }

  function act(deed: Deed): void {
    if (deed.do === "seek") onSeek(deed.ms);
    else if (deed.do === "scrub") onScrub?.(deed.ms);
    else if (deed.do === "view") mover.set(deed.view);
    else if (deed.do === "choose") selection.value = deed.selection;
    else mover.fling(deed.speed, width.peek());
  }

  function onBarKey(event: KeyboardEvent): void {
    const place = cursor.peek() ?? position.peek() ?? (view.peek().begin + view.peek().end) / 2;
    done(
      event,
      barKey(event, {
        place,
        hasCursor: cursor.peek() !== null,
        view: view.peek(),
        zones: zones.peek(),
        bounds: bounds(),
      }),
    );
  }

  function onLimiterKey(event: KeyboardEvent, limiter: Limiter): void {
    const chosen = selection.peek() ?? parked(view.peek(), bounds());
    done(event, limiterKey(event, limiter, { chosen, view: view.peek(), bounds: bounds() }));
  }

  function done(event: KeyboardEvent, deed: KeyDeed | null): void {
    if (deed === null) return;
    event.preventDefault();
    event.stopPropagation();
    if (deed.do === "point") {
      cursor.value = deed.ms;
      mover.glide(deed.view ?? reveal(view.peek(), deed.ms));
    } else if (deed.do === "zoom") mover.glide(zoom(view.peek(), deed.factor, deed.at));
    else if (deed.do === "seek") {
      cursor.value = null;
      onSeek(deed.ms);
    } else if (deed.do === "limit") {
      const chosen = selection.peek() ?? parked(view.peek(), bounds());
      selection.value = limited(chosen, deed.limiter, deed.ms, bounds());
      mover.glide(reveal(view.peek(), deed.ms));
    } else if (deed.do === "unpoint") cursor.value = null;
    else selection.value = null;
  }

  return (
    <div
      ref={band}
      class="timeline-band"
      onPointerEnter={measure}
      onPointerDown={onPointer}
      onPointerMove={onPointer}
      onPointerUp={onPointer}
      onPointerCancel={onPointer}
      onPointerLeave={(event) => {
        if (hands.current.is === "idle" && event.pointerType === "mouse") cursor.value = null;
      }}
    >
      <canvas ref={canvas} aria-hidden="true" />
      <div class="timeline-ruler" data-part="ruler" />
      <Handle
        part="bar"
        label="Moment"
        describedBy={describedBy}
        value={() => cursor.value ?? position.value}
        bounds={bounds}
        zone={zone}
        note={zones}
        now={now}
        onKeyDown={onBarKey}
        onBlur={() => {
          cursor.value = null;
        }}
      />
      {(["begin", "end"] as const).map((limiter) => (
        <Handle
          key={limiter}
          part={limiter}
          element={limiter === "begin" ? begin : end}
          label={limiter === "begin" ? "Begin of the selection" : "End of the selection"}
          value={() =>
            selection.value?.[limiter === "begin" ? 0 : 1] ?? parked(view.value, bounds())[limiter === "begin" ? 0 : 1]
          }
          bounds={bounds}
          zone={zone}
          now={now}
          onKeyDown={(event) => onLimiterKey(event, limiter)}
        />
      ))}
      <Popup {...{ cursor, view, width, zones, now, zone, preview }} />
    </div>
  );
}

const KINDS: Record<string, Touch["kind"]> = {
  pointerdown: "down",
  pointermove: "move",
  pointerup: "up",
  pointercancel: "cancel",
};
