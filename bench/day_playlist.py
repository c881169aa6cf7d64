"""
The playlist of a day (17 280 segments) from a real archive: cold, warm, compressed, with a token.

    python bench/day_playlist.py [HOURS]

Lays down blobs of dummy samples (only their indexes are read), asks for the playlist through the whole web side with
real worker threads, and watches how long the reactor is held at once.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from flussdvr.archive.blob import Blob, BlobState
from flussdvr.archive.index_cache import IndexCache
from flussdvr.archive.stream_archive import StreamArchive
from flussdvr.formats.fmp4 import BlobInfo, Run, blob_info_box, write_fragment, write_init
from flussdvr.media import Codec, Sample, Track

T = 1_795_132_800_000
CONFIG = bytes.fromhex("01640028ffe1001967640028acd940780227e5c05a808080a0000003002000000791e30632c001000468ebecb2")


def lay_down(root: str, hour: int) -> Blob:
    video = Track(1, Codec.H264, 90000, CONFIG, width=1920, height=1080)
    audio = Track(2, Codec.AAC, 48000, bytes.fromhex("1190"), channels=2, sample_rate=48000)
    begin = T + hour * 3_600_000
    index = write_init((video, audio)) + blob_info_box(BlobInfo("day", 5000, hour * 720, None))
    size = len(index)
    blob = Blob("day", root, begin, begin + 3_600_000, state=BlobState.CLOSED, segment_ms=5000, sequence=hour * 720)
    pictures = [Sample(0, bytes(1000 + n), n == 0) for n in range(25)]
    frames = [Sample(0, bytes(200 + n % 7)) for n in range(47)]
    for second in range(3600):
        runs = [
            Run(video, (begin + second * 1000) * 90, [3600] * 25, pictures),
            Run(audio, (begin + second * 1000) * 48, [1024] * 47, frames),
        ]
        head, payload = write_fragment(second + 1, runs)
        index += head
        size += len(head) + len(payload)
    blob.size, blob.index_size = size, len(index)
    Path(blob.path).parent.mkdir(parents=True, exist_ok=True)
    Path(blob.path).touch()
    Path(blob.index_path).write_bytes(index)
    return blob


def main() -> None:
    hours = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.task import LoopingCall, react

    from flussdvr.playback.playback import make_playback
    from flussdvr.playback.sources import Source
    from flussdvr.playback.view import View
    from flussdvr.threads import Pool

    with tempfile.TemporaryDirectory() as root:
        begun = time.perf_counter()
        blobs = [lay_down(root, hour) for hour in range(hours)]
        print(f"laid down {hours} h in {time.perf_counter() - begun:.1f} s, indexes of {blobs[0].index_size} bytes")

        async def run(_: Any) -> None:
            reader, cpu = Pool(reactor, "read", 4), Pool(reactor, "cpu", 2)
            archive = StreamArchive("day", IndexCache(lambda blob: reader), lambda extent: None, blobs)  # type: ignore[arg-type, return-value]
            playback = make_playback(cpu, lambda path: reader, reactor, lambda: T + 90_000_000)
            source, view = Source("day", None, archive), View("fmp4")
            held, last = 0.0, time.perf_counter()

            def turn() -> None:
                nonlocal held, last
                now = time.perf_counter()
                held, last = max(held, now - last), now

            watch = LoopingCall(turn)
            watch.start(0.0005)
            for what in ("cold", "warm", "warm"):
                await sleep(0.05)
                held, begun, cpu_begun = 0.0, time.perf_counter(), time.process_time()
                last = begun
                playlist = await playback.hls.archive(source, T, hours * 3_600_000, False, view)
                text = playlist.render()
                took, used = time.perf_counter() - begun, time.process_time() - cpu_begun
                turn()
                print(
                    f"{what}: {took * 1000:.1f} ms ({used * 1000:.1f} ms CPU), held {held * 1000:.1f} ms, {len(text)}"
                )
            for what, query in (("gzip", ""), ("gzip with a token", "token=abc")):
                begun = time.perf_counter()
                data = playlist.with_query(query).render_gzip()
                print(f"{what}: {(time.perf_counter() - begun) * 1000:.1f} ms, {len(data)} bytes")
            held = 0.0
            begun = last = time.perf_counter()
            export = await playback.exports.mp4(source, T, hours * 3_600_000, None, False)
            took = time.perf_counter() - begun
            turn()
            print(f"mp4 head: {took * 1000:.0f} ms, held {held * 1000:.1f} ms, {len(export.body.parts[0])} bytes")
            watch.stop()

        async def sleep(seconds: float) -> None:
            done: Deferred[None] = Deferred()
            reactor.callLater(seconds, done.callback, None)  # type: ignore[attr-defined]
            await done

        react(lambda _: Deferred.fromCoroutine(run(_)))


if __name__ == "__main__":
    main()
