"""Segments behind a change of the pictures' parameters bring these themselves."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.streams.index_cache import IndexCache
from flussdvr.body.body import Body, Extent
from flussdvr.body.reading import read_extent
from flussdvr.errors import DvrError, Kind
from flussdvr.formats.mp4.fmp4 import write_init
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.formats.mp4.in_band import in_band_sets
from flussdvr.playback.changes import Changes
from flussdvr.playback.fragments import SegmentIndex
from flussdvr.playback.segments import Segments
from flussdvr.playback.selection import parse_selection
from flussdvr.playback.sources import Source
from flussdvr.playback.ts.segments import TsSegments
from flussdvr.playback.view import View
from flussdvr.threads import InlineWorker
from tests.playback.recordings import SEGMENT_MS, Media, Recording, T, decoded, media
from tests.playback.test_cursor import result

SMALL, LARGE = media(), media(width=96)
SMALL_265, LARGE_265 = media(encoder="libx265"), media(encoder="libx265", width=96)
SECONDS = 4
PER_SEGMENT = SEGMENT_MS // 1000 * 10


def sound_of(source: Media) -> Media:
    """Its sound alone."""
    track = source.tracks[1]
    return Media((replace(track, id=1),), {1: source.samples[track.id]})


def segments() -> Segments:
    worker, index = InlineWorker(), SegmentIndex()
    return Segments(index, TsSegments(index, worker), Changes())


def recorded(tmp_path: Path, *blobs: tuple[Media, str | None]) -> tuple[Recording, Source]:
    """Blobs one behind the other, each with why there is a gap before it."""
    recording = Recording(tmp_path)
    for number, (source, after) in enumerate(blobs):
        recording.blob(T + 1000 * SECONDS * number, SECONDS, 100 + 2 * number, after, source)
    return recording, Source(recording.name, None, recording.archive)


def bytes_of(body: Body) -> bytes:
    return b"".join(read_extent(part) if isinstance(part, Extent) else part for part in body.parts)


def sent(source: Source, number: int, tracks: str = "") -> bytes:
    """The segment `number` of two in each blob."""
    view = View("fmp4", parse_selection(tracks) if tracks else None)
    return bytes_of(result(segments().body(source, T + SEGMENT_MS * number, SEGMENT_MS, view)))


def sync_samples(init: bytes, segment: bytes) -> list[bytes]:
    with av.open(io.BytesIO(init + segment)) as file:
        return [bytes(packet) for packet in file.demux(video=0) if packet.is_keyframe and packet.size]


def brings_sets(source: Source, number: int, of: Media) -> bool:
    """Whether all sync samples of the segment begin with parameter sets; else none does."""
    sets = in_band_sets(of.tracks[0])
    found = {one.startswith(sets) for one in sync_samples(write_init(of.tracks), sent(source, number))}
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize(("before", "behind"), [(SMALL, LARGE), (LARGE, SMALL), (SMALL_265, LARGE_265)])
def test_a_decoder_that_is_set_up_once_goes_on(tmp_path: Path, before: Media, behind: Media) -> None:
    """With the first init segment alone, as ffmpeg's HLS demuxer does it."""
    _, source = recorded(tmp_path, (before, None), (behind, "tracks_changed"), (before, "tracks_changed"))
    init = write_init(before.tracks)
    whole = init + b"".join(sent(source, number) for number in range(6))
    assert len(decoded(whole)) == 3 * SECONDS * 10
    assert len(decoded(init + sent(source, 0) + sent(source, 3))) == 2 * PER_SEGMENT, "it goes on in the middle, too"
    own = write_init(behind.tracks) + sent(source, 2) + sent(source, 3)
    assert len(decoded(own)) == 2 * PER_SEGMENT, "with its own init segment"


def test_only_what_comes_behind_a_change_brings_its_sets(tmp_path: Path) -> None:
    blobs = [
        (SMALL, None),
        (SMALL, "disconnected"),  # a gap and nothing else
        (LARGE, "tracks_changed"),
        (LARGE, None),  # the hour is over
        (SMALL, "restart"),
        (sound_of(SMALL), "tracks_changed"),
        (SMALL, "tracks_changed"),  # the pictures before the sound alone
        (sound_of(LARGE), "tracks_changed"),
        (LARGE, "tracks_changed"),
        (SMALL_265, "tracks_changed"),  # no decoder of H.264 is helped with it
    ]
    recording, source = recorded(tmp_path, *blobs)
    found = [
        brings_sets(source, number, blobs[number // 2][0])
        for number in range(2 * len(blobs))
        if blobs[number // 2][0].tracks[0].is_video
    ]
    expected = [False, False, True, True, True, False, True, False]
    assert found == [one for one in expected for _ in range(2)]
    plain = recording.archive.blobs()[0]
    table = result(recording.archive.table(plain))
    assert sent(source, 0) == Path(plain.path).read_bytes()[int(table.offset[0]) : int(table.offset[2])]


def test_a_choice_of_tracks_has_them_too(tmp_path: Path) -> None:
    _, source = recorded(tmp_path, (SMALL, None), (LARGE, "tracks_changed"))
    video = write_init(LARGE.tracks[:1])
    assert all(one.startswith(in_band_sets(LARGE.tracks[0])) for one in sync_samples(video, sent(source, 2, "v1")))
    assert sent(source, 2, "v1a1") == sent(source, 2)
    assert in_band_sets(LARGE.tracks[0]) not in sent(source, 2, "a1")


def test_pictures_that_carry_their_sets_are_left_alone(tmp_path: Path) -> None:
    carrying = Media((replace(LARGE.tracks[0], in_band=True), LARGE.tracks[1]), LARGE.samples)
    _, source = recorded(tmp_path, (SMALL, None), (carrying, "tracks_changed"), (LARGE, "tracks_changed"))
    assert not brings_sets(source, 2, carrying)
    assert brings_sets(source, 4, LARGE), "others may have come in the samples before"


def test_what_cannot_be_read_before_keeps_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording, source = recorded(tmp_path, (SMALL, None), (LARGE, "tracks_changed"))
    first = recording.archive.blobs()[0]
    table = IndexCache.table

    async def away(indexes: IndexCache, blob: Blob, *further: Any) -> FragmentTable:
        if blob is first:
            raise DvrError(Kind.UNAVAILABLE, "disk_busy", "the disk is away")
        return await table(indexes, blob, *further)

    kept = segments()
    monkeypatch.setattr(IndexCache, "table", away)
    plain = bytes_of(result(kept.body(source, T + 2 * SEGMENT_MS, SEGMENT_MS, View("fmp4"))))
    assert not sync_samples(write_init(LARGE.tracks), plain)[0].startswith(in_band_sets(LARGE.tracks[0]))
    monkeypatch.undo()
    back = bytes_of(result(kept.body(source, T + 2 * SEGMENT_MS, SEGMENT_MS, View("fmp4"))))
    assert back == sent(source, 2), "it is asked again"


def test_ram_and_disk_have_the_same_bytes(tmp_path: Path) -> None:
    recording, archived = recorded(tmp_path, (SMALL, None), (LARGE, "tracks_changed"))
    recording.play_live(T, SECONDS, SMALL)
    recording.play_live(T + 1000 * SECONDS, SECONDS + 1, LARGE)
    live = Source(recording.name, recording, recording.archive)
    for number in range(4):
        assert recording.window.find(T + SEGMENT_MS * number) is not None
        assert sent(live, number) == sent(archived, number)


@pytest.mark.parametrize("listed", [True, False])
def test_what_is_only_in_ram_as_yet(tmp_path: Path, listed: bool) -> None:
    """Of a stream whose archive has not got so far, and of one that has none."""
    recording, _ = recorded(tmp_path, (SMALL, None))
    recording.play_live(T, SECONDS, SMALL)
    recording.play_live(T + 1000 * SECONDS, SECONDS + 1, LARGE)
    live = Source(recording.name, recording, recording.archive if listed else None)
    assert [brings_sets(live, number, SMALL if number < 2 else LARGE) for number in range(4)] == [
        *(False, False, True, True)
    ]
