// node validate.js PLAYLIST_URL
//
// Reads an HLS playlist, those that it leads to, and their segments with parsers of other projects: hls-parser in its
// strict mode, m3u8-parser, and the MPEG-TS and MP4 inspectors of mux.js. Prints a JSON list of what is wrong.

import HLS from "hls-parser";
import { Parser } from "m3u8-parser";
import mp4 from "mux.js/lib/tools/mp4-inspector.js";
import ts from "mux.js/lib/tools/ts-inspector.js";

HLS.setOptions({ strictMode: true });
const NEAR_S = 0.002;
const AUDIO_FRAME_S = 1024 / 44100;
const problems = [];

async function get(url, type) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${url}`);
  const given = response.headers.get("content-type");
  if (given !== type) problems.push(`${url} is ${given}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function playlist(url) {
  const text = new TextDecoder().decode(await get(url, "application/vnd.apple.mpegurl"));
  const other = new Parser();
  other.on("warn", ({ message }) => problems.push(`m3u8-parser: ${message} in ${url}`));
  other.push(text);
  other.end();
  const parsed = HLS.parse(text);
  if (!parsed.isMasterPlaylist) {
    if (other.manifest.segments.length !== parsed.segments.length) problems.push(`the parsers disagree on ${url}`);
    await segments(parsed, url);
    return;
  }
  for (const variant of parsed.variants) {
    for (const attribute of ["codecs", "resolution", "bandwidth", "averageBandwidth", "frameRate"]) {
      if (!variant[attribute]) problems.push(`a variant has no ${attribute} in ${url}`);
    }
    await playlist(new URL(variant.uri, url).href);
  }
}

/** Each segment lasts as long as it says, follows the one before, and is not longer than the target. */
async function segments(parsed, url) {
  if (!parsed.segments.length) problems.push(`nothing is listed in ${url}`);
  let date = null;
  let before = null;
  for (const segment of parsed.segments) {
    const { uri, duration, discontinuity } = segment;
    const at = segment.programDateTime?.getTime() ?? date;
    if (at === null) problems.push(`there is no date before ${uri}`);
    if (date !== null && !discontinuity && Math.abs(at - date) > 1) problems.push(`${uri} is dated ${at - date} ms off`);
    date = at + duration * 1000;
    if (Math.round(duration) > parsed.targetDuration) problems.push(`${uri} is longer than the target`);
    const spans = segment.map ? await fragmented(segment, url) : await transport(segment, url);
    for (const kind of ["video", "audio"]) {
      if (!spans[kind]) {
        problems.push(`${uri} has no ${kind}`);
        continue;
      }
      const near = kind === "video" ? NEAR_S : AUDIO_FRAME_S + NEAR_S;
      const [begin, end] = spans[kind];
      if (Math.abs(end - begin - duration) > near) problems.push(`${uri} has ${end - begin} s of ${kind}`);
      const gap = before?.[kind] && !discontinuity ? begin - before[kind][1] : 0;
      if (Math.abs(gap) > (segment.map ? NEAR_S : near)) problems.push(`there are ${gap} s of ${kind} missing before ${uri}`);
    }
    before = spans;
  }
}

/** `{video: [begin, end], audio: [begin, end]}`, in seconds of decoding time, of an MPEG-TS segment. */
async function transport({ uri, duration }, url) {
  const bytes = await get(new URL(uri, url).href, "video/mp2t");
  if (bytes.length % 188) problems.push(`${uri} is not made of packets`);
  const seen = ts.inspect(bytes); // the first and the last frame of each track
  if (!seen?.firstKeyFrame) problems.push(`${uri} has no key frame`);
  const spans = {};
  if (seen?.video) {
    const begin = seen.video[0].dtsTime;
    spans.video = [begin, begin + duration];
    const left = duration - (seen.video.at(-1).dtsTime - begin);
    if (left < 0 || left > 0.1) problems.push(`${uri} ends ${left} s after its last picture`);
  }
  if (seen?.audio) {
    const begin = seen.audio[0].dtsTime;
    spans.audio = [begin, begin + duration];
  }
  return spans;
}

const inits = new Map();

async function init(url) {
  if (!inits.has(url)) {
    const tracks = new Map();
    const boxes = mp4.inspect(await get(url, "video/mp4"));
    for (const trak of child(boxes, "moov").filter((box) => box.type === "trak")) {
      const mdia = child(trak.boxes, "mdia");
      const kind = mdia.find((box) => box.type === "hdlr").handlerType === "vide" ? "video" : "audio";
      const { trackId } = trak.boxes.find((box) => box.type === "tkhd");
      tracks.set(trackId, { kind, timescale: mdia.find((box) => box.type === "mdhd").timescale });
    }
    inits.set(url, tracks);
  }
  return inits.get(url);
}

function child(boxes, type) {
  return boxes.find((box) => box.type === type)?.boxes ?? [];
}

/** The same of a fragmented MP4 segment. */
async function fragmented({ uri, map }, url) {
  const tracks = await init(new URL(map.uri, url).href);
  const spans = {};
  for (const moof of mp4.inspect(await get(new URL(uri, url).href, "video/mp4")).filter((box) => box.type === "moof")) {
    for (const traf of moof.boxes.filter((box) => box.type === "traf")) {
      const [tfhd, tfdt, trun] = ["tfhd", "tfdt", "trun"].map((type) => traf.boxes.find((box) => box.type === type));
      const { kind, timescale } = tracks.get(tfhd.trackId);
      const begin = tfdt.baseMediaDecodeTime / timescale;
      const ticks = trun.samples.reduce((sum, { duration }) => sum + (duration ?? tfhd.defaultSampleDuration), 0);
      if (spans[kind] && Math.abs(begin - spans[kind][1]) > NEAR_S) problems.push(`${uri}: a hole in its ${kind}`);
      const first = trun.samples[0].flags ?? trun.samples[0];
      if (kind === "video" && !spans.video && first.isNonSyncSample) problems.push(`${uri} begins with no key frame`);
      spans[kind] = [spans[kind]?.[0] ?? begin, begin + ticks / timescale];
    }
  }
  return spans;
}

await playlist(process.argv[2]).catch((error) => problems.push(String(error)));
console.log(JSON.stringify(problems));
