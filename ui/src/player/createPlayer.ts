/**
 * The player: any moment of a stream in a <video>, by hls.js; live or from the archive.
 *
 *     playAt(ms) --> inside of what is loaded: a seek
 *                    else a reel is opened around it --> at its end the next one --> ... --> live
 *     picture shown --> its media time --> the playlist's dates --> position (UTC ms, exact to the frame)
 *
 * What fails is tried again, less and less often, at the same moment. Knows nothing of the page around it.
 */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type Hls from "hls.js";
import type { ErrorData, HlsConfig, MediaFragment } from "hls.js";

import { inPath } from "../api/http";
import type { Span } from "../api/types";
import { Cadence } from "./cadence";
import { problemOf, retryAfterMs, SILENT, UNPLAYABLE, type Problem } from "./problem";
import { playlistOf, reelAround, seconds, type Reel } from "./reel";
import { gapBefore, INTO_S, reach, spotOf, utcOf } from "./timemap";

export type PlayerState = "idle" | "loading" | "playing" | "paused" | "ended" | "failed";
export type Mode = "live" | "archive";
export type Gap = readonly [begin: number, end: number];

export interface PlayerOptions {
  name: string;
  /** Goes into the query of the playlists. */
  token?: string | undefined;
  /** The server's present, UTC ms. */
  now: () => number;
  /** What is known to be recorded; `null`: not known, or not yet. Lists of spans that have nothing are not asked for. */
  recorded?: () => readonly Span[] | null;
}

export interface Player {
  /** UTC (ms) of the picture that is shown; `null` before the first. */
  readonly position: ReadonlySignal<number | null>;
  /** The moment that has been asked for, until it is shown. */
  readonly seeking: ReadonlySignal<number | null>;
  readonly state: ReadonlySignal<PlayerState>;
  readonly error: ReadonlySignal<Problem | null>;
  readonly mode: ReadonlySignal<Mode>;
  /** What is shown is as near to the present as it can be. */
  readonly live: ReadonlySignal<boolean>;
  /** The gap that has just been passed over. */
  readonly gap: ReadonlySignal<Gap | null>;
  readonly rate: ReadonlySignal<number>;
  /** There is sound and no picture. */
  readonly soundOnly: ReadonlySignal<boolean>;
  /** Shows the frame of that moment and goes on from there; stays paused if it is. In a gap: what comes next. */
  playAt(ms: number): void;
  playLive(): void;
  play(): void;
  pause(): void;
  toggle(): void;
  /** 0.5 to 16; silent above 2. */
  setRate(rate: number): void;
  /** Pauses, and shows the next or the previous frame. */
  step(frames: 1 | -1): void;
  /** At once, instead of when it would be tried again. */
  retry(): void;
  destroy(): void;
}

const TICK_MS = 250;
const GAP_SHOWN_MS = 5000;
/** This near (in segments) to the end of what is written is live. */
const EDGE_SEGMENTS = 2.5;
/** Nothing new for this long at the end of what is written: is it still live? */
const STALLED_MS = 10_000;
/** So near to the end nothing comes any more if it has not come for so long. */
const NEAR_END_S = 0.3;
const END_MS = 600;
const HOLE_S = 0.35;
const MOST_CORRECTIONS = 2;
/** A picture so far behind the one that was asked for is not only the next one. */
const RUN_ON_S = 0.5;
/** A present that is asked for is live. */
const PRESENT_MS = 2000;
const LOUD_UP_TO = 2;
/** Where fewer pictures than this part of the rate arrive in 2 s, it is not played any more but leapt through. */
const TOO_SLOW = 0.6;
const SLOW_AFTER_MS = 2000;
const LEAP_MS = 200;
/** Nobody has fewer pictures than one in this. */
const SAME_PICTURE_S = 1;

const CONFIG: Partial<HlsConfig> = {
  enableWorker: false,
  lowLatencyMode: false,
  testBandwidth: false,
  backBufferLength: 60,
  maxBufferLength: 30,
  maxMaxBufferLength: 120,
  liveSyncDurationCount: 2,
  liveMaxLatencyDurationCount: Infinity,
  maxFragLookUpTolerance: 0,
};

export function createPlayer(video: HTMLVideoElement, options: PlayerOptions): Player {
  return new HlsPlayer(video, options);
}

class HlsPlayer implements Player {
  readonly position = signal<number | null>(null);
  readonly seeking = signal<number | null>(null);
  readonly state = signal<PlayerState>("idle");
  readonly error = signal<Problem | null>(null);
  readonly mode = signal<Mode>("live");
  readonly live = computed(() => this.mode.value === "live" && this.state.value !== "failed");
  readonly gap = signal<Gap | null>(null);
  readonly rate = signal(1);
  readonly soundOnly = signal(false);

  readonly #video: HTMLVideoElement;
  readonly #options: PlayerOptions;
  readonly #listening = new AbortController();
  readonly #cadence = new Cadence();
  readonly #ticking: ReturnType<typeof setInterval>;

  #hls: Hls | null = null;
  /** What is loaded: a reel, the live list, or nothing yet. */
  #reel: Reel | "live" | null = null;
  /** Counts what has been opened: an answer to an earlier one is too late. */
  #opening = 0;
  #wanted = true;
  #shown: number | null = null;
  #stepTo: number | null = null;
  #attempt = 0;
  #retrying: ReturnType<typeof setTimeout> | undefined;
  #gapTimer: ReturnType<typeof setTimeout> | undefined;
  #recovered = 0;
  #corrections = 0;
  #waitingSince: number | null = null;
  #pace: { at: number; time: number } | null = null;
  #leaping = false;
  #leapt = 0;
  #muted = false;

  constructor(video: HTMLVideoElement, options: PlayerOptions) {
    this.#video = video;
    this.#options = options;
    const on = (type: string, listener: () => void) =>
      video.addEventListener(type, listener, { signal: this.#listening.signal });
    on("playing", () => this.#say());
    on("pause", () => this.#say());
    on("waiting", () => this.#say());
    on("canplay", () => this.#say());
    on("seeking", () => this.#cadence.break());
    on("seeked", () => this.#say());
    on("ended", () => this.#ended());
    // The browser's own buttons: picture in picture, headphones.
    on("play", () => (this.#wanted = true));
    video.playsInline = true;
    video.preload = "auto";
    this.#watchFrames();
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
  }

  playAt(ms: number): void {
    if (ms > this.#options.now() - PRESENT_MS) return this.playLive();
    this.#forget();
    this.#corrections = 0;
    this.seeking.value = ms;
    this.mode.value = "archive";
    if (!this.#seek(ms)) this.#openAround(ms);
  }

  playLive(): void {
    this.#forget();
    this.mode.value = "live";
    this.seeking.value = null;
    this.#wanted = true;
    this.setRate(1);
    this.#open("live", null);
  }

  play(): void {
    this.#wanted = true;
    if (this.#reel === null) return this.playLive();
    const pieces = this.#pieces();
    const kept = reach(pieces);
    const position = this.position.value;
    // The live list has moved on meanwhile: it goes on from the archive.
    if (this.#reel === "live" && kept !== null && position !== null && position < kept[0]) return this.playAt(position);
    this.#start();
  }

  pause(): void {
    this.#wanted = false;
    this.#leaping = false;
    this.#video.pause();
    this.#say();
  }

  toggle(): void {
    if (this.#wanted && this.state.value !== "ended") this.pause();
    else this.play();
  }

  setRate(rate: number): void {
    const loud = this.rate.value <= LOUD_UP_TO;
    this.rate.value = rate;
    this.#leaping = false;
    this.#pace = null;
    // defaultPlaybackRate too: a new source begins with that.
    this.#video.defaultPlaybackRate = this.#video.playbackRate = rate;
    if (rate > LOUD_UP_TO && loud) {
      this.#muted = this.#video.muted;
      this.#video.muted = true;
    } else if (rate <= LOUD_UP_TO && !loud) this.#video.muted = this.#muted;
    if (this.#wanted && this.#reel !== null) this.#start();
  }

  step(frames: 1 | -1): void {
    this.pause();
    const from = this.#stepTo ?? this.#shown ?? this.#video.currentTime;
    const length = this.#cadence.frame;
    this.#stepTo = Math.max(0, from + frames * length);
    this.#video.currentTime = this.#stepTo + length / 2;
  }

  retry(): void {
    this.#attempt = 0;
    this.#reopen();
  }

  destroy(): void {
    this.#listening.abort();
    clearInterval(this.#ticking);
    clearTimeout(this.#retrying);
    clearTimeout(this.#gapTimer);
    this.#close();
  }

  /** What failed before is no matter any more. */
  #forget(): void {
    if (this.error.value !== null) this.#reel = null;
    this.#attempt = 0;
    this.error.value = null;
  }

  // what is loaded

  #close(): void {
    this.#opening += 1;
    this.soundOnly.value = false;
    clearTimeout(this.#retrying);
    this.#hls?.destroy();
    this.#hls = null;
    this.#shown = this.#stepTo = null;
    this.#waitingSince = null;
    this.#pace = null;
    this.#leaping = false;
  }

  /** Opens the hours around `ms`; where they are known to be empty, what comes after them. */
  #openAround(ms: number): void {
    const reel = reelAround(ms, this.#options.now());
    const ranges = this.#options.recorded?.() ?? null;
    if (ranges === null || ranges.some(([begin, end]) => begin < reel.end && end > reel.begin)) {
      return this.#open(reel, ms);
    }
    this.#close();
    this.#reel = null;
    this.#say("loading");
    void this.#goOnAfter(ms);
  }

  /** Opens a playlist, to begin at `ms`; `null`: where live is. */
  #open(reel: Reel | "live", ms: number | null): void {
    this.#close();
    this.#reel = reel;
    const opening = this.#opening;
    this.#say("loading");
    import("hls.js").then(
      ({ default: Hls }) => {
        if (opening !== this.#opening) return;
        if (Hls.isSupported()) this.#load(Hls, reel, ms);
        else this.#fail(UNPLAYABLE, false);
      },
      () => {
        if (opening === this.#opening) this.#fail(problemOf(0, undefined, reel === "live"));
      },
    );
  }

  #load(Class: typeof Hls, reel: Reel | "live", ms: number | null): void {
    const hls = new Class(CONFIG);
    this.#hls = hls;
    let begun = ms === null;
    hls.on(Class.Events.LEVEL_UPDATED, (_, { details }) => {
      if (begun || ms === null) return;
      begun = true;
      const spot = spotOf(details.fragments, ms);
      if (spot === null) return void this.#goOnAfter(ms);
      if (spot.utc !== ms) this.#sayGap([ms, spot.utc]);
      hls.startLoad(spot.time);
    });
    hls.on(Class.Events.ERROR, (_, data) => this.#hlsError(Class, data));
    hls.loadSource(playlistOf(this.#options.name, reel === "live" ? null : reel, this.#options.token));
    hls.attachMedia(this.#video);
    this.#video.defaultPlaybackRate = this.#video.playbackRate = this.rate.value;
    if (this.#wanted) this.#start();
  }

  #pieces(): readonly MediaFragment[] {
    return this.#hls?.latestLevelDetails?.fragments ?? [];
  }

  /** Seeks inside of what is loaded; false if `ms` is not there. */
  #seek(ms: number): boolean {
    const pieces = this.#pieces();
    const kept = reach(pieces);
    if (kept === null || this.error.value !== null || this.#video.readyState === 0) return false;
    if (ms < kept[0] && (this.#reel === "live" || this.#reel === null || ms < this.#reel.begin)) return false;
    const spot = spotOf(pieces, ms);
    if (spot === null) return false;
    if (spot.utc !== ms) this.#sayGap([ms, spot.utc]);
    this.#stepTo = null;
    this.#leaping = false;
    this.#video.currentTime = spot.time;
    if (this.#wanted) this.#start();
    this.#say();
    return true;
  }

  /** Nothing of what is loaded is at `ms` or after it: what is recorded next, or live. */
  async #goOnAfter(ms: number): Promise<void> {
    const opening = this.#opening;
    const { name, token, now } = this.#options;
    const query = new URLSearchParams({ from: seconds(ms), to: seconds(now()), request: "ranges" });
    if (token !== undefined) query.set("token", token);
    let next: number | undefined;
    try {
      const headers = { "X-Requested-With": "flussdvr" };
      const answer = await fetch(`/${inPath(name)}/recording_status.json?${query}`, { headers });
      if (opening !== this.#opening) return;
      if (!answer.ok) return this.#fail(problemOf(answer.status, await codeOf(answer), false));
      const [status] = (await answer.json()) as { ranges: { from: number; duration: number }[] }[];
      // Rounded outwards: what ends within this second may be what has just been played.
      next = status?.ranges.find(({ from, duration }) => (from + duration) * 1000 > ms + 1000)?.from;
    } catch {
      if (opening === this.#opening) this.#fail(problemOf(0, undefined, false));
      return;
    }
    if (opening !== this.#opening) return;
    if (next === undefined || next * 1000 > now() - PRESENT_MS) return this.playLive();
    const at = Math.max(ms, next * 1000);
    if (at > ms) this.#sayGap([ms, at]);
    const reel = reelAround(at, now());
    if (typeof this.#reel === "object" && this.#reel?.grows && reel.grows && at === ms) return this.playLive();
    this.#open(reel, at);
  }

  #ended(): void {
    const end = reach(this.#pieces())?.[1];
    if (end === undefined) return;
    void this.#goOnAfter(end);
  }

  // what is shown

  #start(): void {
    this.#video.play().catch((error: unknown) => {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      if (this.#video.muted) return this.pause();
      // Browsers begin by themselves without sound only.
      this.#video.muted = true;
      this.#start();
    });
    this.#say();
  }

  #watchFrames(): void {
    if (!("requestVideoFrameCallback" in this.#video)) return;
    const next = () =>
      this.#video.requestVideoFrameCallback((_, { mediaTime }) => {
        if (this.#listening.signal.aborted) return;
        this.#frame(mediaTime);
        next();
      });
    next();
  }

  /** A picture is shown. */
  #frame(mediaTime: number): void {
    this.#cadence.seen(mediaTime);
    this.#shown = mediaTime;
    if (!this.#video.seeking) this.#stepTo = null;
    const pieces = this.#pieces();
    const utc = utcOf(pieces, mediaTime);
    if (utc === null) return;
    const before = this.position.value;
    this.position.value = utc;
    if (!this.#video.seeking && this.#isThere(mediaTime)) this.seeking.value = null;
    this.#attempt = 0;
    this.error.value = null;
    if (before !== null && this.state.value === "playing" && this.seeking.value === null) {
      const gap = gapBefore(pieces, mediaTime);
      if (gap !== null && before <= gap[0] && utc >= gap[1]) this.#sayGap(gap);
    }
  }

  /** A paused picture may be shown before its seek is said to be done, or before its playlist: nobody tells of it again. */
  #settle(): void {
    const { seeking, readyState, currentTime, HAVE_CURRENT_DATA } = this.#video;
    if (this.seeking.value === null || seeking || readyState < HAVE_CURRENT_DATA || this.#shown === null) return;
    if (Math.abs(currentTime - this.#shown) < SAME_PICTURE_S) this.#frame(this.#shown);
  }

  /**
   * Is this the picture that was asked for? Where it lies is known exactly once its segment has been read: until then
   * pictures that wait for others (B-frames) put it off by some frames.
   */
  #isThere(mediaTime: number): boolean {
    const asked = this.seeking.value;
    const spot = asked === null ? null : spotOf(this.#pieces(), asked);
    if (spot === null || this.#corrections >= MOST_CORRECTIONS) return true;
    const late = mediaTime - spot.time;
    const early = -late > 1.5 * this.#cadence.frame;
    if (!early && late <= (this.#wanted ? RUN_ON_S : INTO_S)) return true;
    this.#corrections += 1;
    this.#video.currentTime = spot.time;
    return false;
  }

  /** A seek to just before the first picture after a gap: there is nothing, so it goes to the picture. */
  #intoBuffer(): void {
    const { currentTime, buffered } = this.#video;
    for (let at = 0; at < buffered.length; at++) {
      const begin = buffered.start(at);
      if (begin > currentTime && begin - currentTime < HOLE_S) this.#video.currentTime = begin + INTO_S;
    }
  }

  #tick(): void {
    const video = this.#video;
    if (this.#reel === null || this.#hls === null || this.error.value !== null) return;
    this.#settle();
    this.soundOnly.value = video.readyState >= video.HAVE_METADATA && video.videoWidth === 0;
    // Without callbacks of pictures (a hidden page, an old browser, no picture) the clock of the element has to do.
    const uncalled = document.hidden || this.soundOnly.value || !("requestVideoFrameCallback" in video);
    if (uncalled && video.readyState >= video.HAVE_CURRENT_DATA) this.#frame(video.currentTime);
    // The dates become exact when a segment has been read: what is shown may have another one now.
    else if (video.paused && !video.seeking && this.#shown !== null) {
      this.position.value = utcOf(this.#pieces(), this.#shown) ?? this.position.value;
    }
    if (video.seeking || video.readyState < video.HAVE_FUTURE_DATA) this.#intoBuffer();
    const running = this.#wanted && !video.seeking;
    if (running) this.#atEdge();
    if (running && this.rate.value > LOUD_UP_TO) this.#keepPace();
    const stuck = this.#wanted && video.readyState < video.HAVE_FUTURE_DATA;
    this.#waitingSince = stuck ? (this.#waitingSince ?? performance.now()) : null;
    const waited = this.#waitingSince === null ? 0 : performance.now() - this.#waitingSince;
    if (waited > END_MS && this.#isAtEnd()) {
      // Sound and picture end a little apart: then the element waits for what will never come.
      if (!this.#grows()) return this.#ended();
      // The recording has ended: is there still a live picture?
      if (waited > STALLED_MS && this.#reel !== "live") return this.playLive();
      if (waited > STALLED_MS) this.error.value = SILENT;
    }
    this.#say();
  }

  #isAtEnd(): boolean {
    const pieces = this.#pieces();
    const final = pieces[pieces.length - 1];
    return final !== undefined && this.#video.currentTime > final.start + final.duration - NEAR_END_S;
  }

  #grows(): boolean {
    return this.#reel === "live" || (this.#reel?.grows ?? false);
  }

  /** What reaches the end of what is written is live; what is held or slowed down is not any more. */
  #atEdge(): void {
    const details = this.#hls?.latestLevelDetails;
    const position = this.position.value;
    const end = reach(this.#pieces())?.[1];
    if (!details || position === null || end === undefined || !this.#grows() || this.seeking.value !== null) return;
    const near = EDGE_SEGMENTS * details.targetduration * 1000;
    const fresh = this.#options.now() - end < 3 * details.targetduration * 1000 + STALLED_MS;
    const margin = this.rate.value > 1 ? near / 2 : near;
    if (fresh && end - position < margin) {
      this.mode.value = "live";
      if (this.rate.value > 1) this.setRate(1);
    } else if (end - position > 2 * near) this.mode.value = "archive";
  }

  /** Decoding or the network don't keep up: leaps from segment to segment, and what is there is shown. */
  #keepPace(): void {
    const video = this.#video;
    const at = performance.now();
    if (this.#leaping) {
      if (at - this.#leapt < LEAP_MS) return;
      const pieces = this.#pieces();
      const due = video.currentTime + ((at - this.#leapt) / 1000) * this.rate.value;
      const piece = pieces.find(({ start }) => start >= due);
      const final = pieces[pieces.length - 1];
      this.#leapt = at;
      if (piece !== undefined) video.currentTime = piece.start + 0.001;
      else if (final !== undefined) video.currentTime = final.start + final.duration - 0.1;
      if (piece === undefined) this.#leaping = false;
      return;
    }
    this.#pace ??= { at, time: video.currentTime };
    const passed = at - this.#pace.at;
    if (passed < SLOW_AFTER_MS) return;
    const reached = (video.currentTime - this.#pace.time) / ((passed / 1000) * this.rate.value);
    this.#pace = null;
    this.#leaping = reached < TOO_SLOW;
    this.#leapt = at;
  }

  #sayGap(gap: Gap): void {
    if (gap[1] - gap[0] < 500) return;
    this.gap.value = gap;
    clearTimeout(this.#gapTimer);
    this.#gapTimer = setTimeout(() => (this.gap.value = null), GAP_SHOWN_MS);
  }

  #say(state?: PlayerState): void {
    const video = this.#video;
    if (this.error.value !== null) this.state.value = "failed";
    else if (state !== undefined) this.state.value = state;
    else if (this.#reel === null) this.state.value = "idle";
    else if (video.seeking || video.readyState < video.HAVE_FUTURE_DATA) {
      this.state.value = this.#wanted || this.#shown === null ? "loading" : "paused";
    } else this.state.value = video.paused && !this.#leaping ? "paused" : "playing";
  }

  // what fails

  #hlsError(Class: typeof Hls, data: ErrorData): void {
    if (!data.fatal) return;
    if (data.type === Class.ErrorTypes.MEDIA_ERROR) {
      const unknown = /incompatible|addCodec/i.test(data.details);
      if (unknown) return this.#fail(UNPLAYABLE, false);
      if (performance.now() - this.#recovered > 5000) {
        this.#recovered = performance.now();
        return this.#hls?.recoverMediaError();
      }
    }
    const text = data.networkDetails instanceof XMLHttpRequest ? textOf(data.networkDetails) : "";
    const problem = problemOf(data.response?.code ?? 0, codeIn(text), this.#reel === "live");
    if (problem.code === "no_recordings" && typeof this.#reel === "object" && this.#reel !== null) {
      const ms = this.seeking.value ?? this.position.value;
      if (ms !== null && data.frag === undefined) return void this.#goOnAfter(Math.max(ms, this.#reel.begin));
    }
    this.#fail(problem);
  }

  #fail(problem: Problem, again = true): void {
    const at = this.seeking.value ?? (this.mode.value === "archive" ? this.position.value : null);
    this.#close();
    this.seeking.value = at;
    this.error.value = problem;
    this.#say();
    if (!again) return;
    this.#retrying = setTimeout(() => this.#reopen(), retryAfterMs(problem, this.#attempt));
    this.#attempt += 1;
  }

  /** Once more, at the same moment. */
  #reopen(): void {
    const ms = this.mode.value === "archive" ? (this.seeking.value ?? this.position.value) : null;
    if (ms === null) this.#open("live", null);
    else this.#openAround(ms);
  }
}

function textOf(answer: XMLHttpRequest): string {
  return answer.responseType === "" || answer.responseType === "text" ? answer.responseText : "";
}

/** The `code` of an error document of the server. */
function codeIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { errors?: { code?: string }[] }).errors?.[0]?.code;
  } catch {
    return undefined;
  }
}

const codeOf = async (answer: Response): Promise<string | undefined> => codeIn(await answer.text());
