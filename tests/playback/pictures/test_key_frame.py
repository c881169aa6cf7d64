"""Every picture shows the instant that it claims: key frames and any other, across gaps, whatever the codec."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from flussdvr.body.body import Body
from flussdvr.body.reading import read
from flussdvr.errors import DvrError
from flussdvr.playback.pictures.decoder import Box
from flussdvr.playback.pictures.key_frame import (
    NEAR_MS,
    key_frame_after,
    key_frame_before,
    key_frame_for,
    name_of,
    named_key_frame,
    newest_key_frame,
)
from flussdvr.playback.pictures.moment import moment_at
from flussdvr.playback.pictures.previews import Previews
from flussdvr.playback.sources import Source
from flussdvr.threads import InlineWorker
from tests.playback.camera_stamps import FPS, KINDS, Recording, T, lay_down, result, seen, seen_in_mp4, shoot
from tests.playback.recordings import media

FULL = Box(4000, 4000)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


def source_of(recording: Recording, live: bool = False) -> Source:
    return Source("ort", recording if live else None, recording.archive)


def previews() -> Previews:
    worker = InlineWorker()
    return Previews(worker)


def bytes_of(body: Body) -> bytes:
    return b"".join(part if isinstance(part, bytes) else result(read(part)) for part in body.parts)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_random_instants_show_what_they_claim(recording: Recording, kind: str) -> None:
    """A gap of 9 s, a restart after which other parameters hold, and a take that is still growing."""
    begin = T // 1000
    takes = [shoot(kind, begin, 11), shoot(kind, begin + 20, 7)]
    for take in takes:
        lay_down(recording, take, None if take is takes[0] else "source_lost", closed=take is takes[0])
    keys = [fragment.begin_ms for take in takes for fragment in take.fragments if fragment.sync]
    source, made = source_of(recording), previews()
    chance = random.Random(7)
    for _ in range(100):
        utc = chance.randrange(T - 2000, T + 28_000)
        key = result(key_frame_for(source, utc))
        expected = min([at for at in keys if at >= utc], default=keys[-1])
        assert key.at_ms == expected
        assert seen(result(made.jpeg("ort", key, FULL))) == expected
        assert seen_in_mp4(bytes_of(key.one_frame())) == [expected]
        moment = result(moment_at(source, utc))
        take = next((take for take in takes if take.begin_ms <= utc < take.end_ms - 300), None)
        if take is not None:
            shown = utc * FPS // 1000 * 1000 // FPS
            assert moment.at_ms == shown
            assert seen(result(made.jpeg("ort", moment, FULL))) == shown
        elif not any(take.begin_ms <= utc < take.end_ms for take in takes):
            assert moment is None


def test_the_last_picture_of_an_open_group_is_found_behind_the_next_key_frame(recording: Recording) -> None:
    take = shoot("h264-open", T // 1000, 11)
    lay_down(recording, take)
    keys = [fragment.begin_ms for fragment in take.fragments if fragment.sync]
    for key in keys[1:]:
        moment = result(moment_at(source_of(recording), key - 1))
        assert moment.at_ms == key - 1000 // FPS
        assert seen(result(previews().jpeg("ort", moment, FULL))) == moment.at_ms


def test_a_deleted_span_is_neither_shown_nor_decoded_through(recording: Recording) -> None:
    take = shoot("h264-b", T // 1000, 11)
    blob = lay_down(recording, take)
    table = result(recording.archive.table(blob))
    table.offset = table.offset.copy()
    table.offset[3:] += 1  # as if a byte had been there
    assert result(moment_at(source_of(recording), T + 3500)) is None
    assert result(moment_at(source_of(recording), T + 2500)).at_ms == T + 2500


def test_nothing_within_ten_minutes_is_no_picture(recording: Recording) -> None:
    lay_down(recording, shoot("h264", T // 1000, 11))
    source = source_of(recording)
    for utc in (T - NEAR_MS - 1, T + 10_000 + NEAR_MS + 1, 0):
        with pytest.raises(DvrError) as caught:
            result(key_frame_for(source, utc))
        assert caught.value.status == 404
    assert result(key_frame_for(source, T - NEAR_MS + 1)).at_ms == T
    assert result(key_frame_for(source, T + 10_000 + NEAR_MS - 1)).at_ms == T + 10_000
    assert result(newest_key_frame(source)).at_ms == T + 10_000


def test_the_live_window_has_what_the_archive_has_not(recording: Recording) -> None:
    source = source_of(recording, live=True)
    with pytest.raises(DvrError):
        result(newest_key_frame(source))
    take = shoot("h264-open", T // 1000, 11)
    recording.window.open(take.init, (take.track,))
    for fragment in take.fragments:
        recording.window.append(fragment, recording.window.begins_segment(fragment))
    key = result(newest_key_frame(source))
    assert key.at_ms == T + 10_000
    assert seen_in_mp4(bytes_of(key.one_frame())) == [T + 10_000]
    assert result(key_frame_after(source, T + 5000)).at_ms == T + 6000
    assert result(key_frame_before(source, T + 6000)).at_ms == T + 4000
    moment = result(moment_at(source, T + 7930))
    assert seen(result(previews().jpeg("ort", moment, FULL))) == moment.at_ms == T + 7900
    assert result(moment_at(source, T + 60_000)) is None


def test_a_picture_is_the_same_from_ram_and_from_the_disk(recording: Recording) -> None:
    take = shoot("h264-b", T // 1000, 11)
    lay_down(recording, take)
    recording.window.open(take.init, (take.track,))
    for fragment in take.fragments:
        recording.window.append(fragment, recording.window.begins_segment(fragment))
    stored = result(key_frame_for(source_of(recording), T + 9500))
    live = result(newest_key_frame(source_of(recording, live=True)))
    assert stored.span.body != live.span.body
    assert Previews.etag("ort", stored, FULL) == Previews.etag("ort", live, FULL)


def test_sound_has_no_pictures(recording: Recording) -> None:
    lay_down(recording, shoot("h264", T // 1000, 11))
    table = result(recording.archive.table(recording.archive.blobs()[0]))
    table.reference = next(track for track in media().tracks if not track.is_video)
    with pytest.raises(DvrError):
        result(key_frame_for(source_of(recording), T))
    with pytest.raises(DvrError):
        result(newest_key_frame(source_of(recording)))


def test_whole_seconds_name_the_first_picture_in_them(recording: Recording) -> None:
    lay_down(recording, shoot("h264", T // 1000, 11))
    source = source_of(recording)
    assert result(named_key_frame(source, T)).at_ms == T
    assert result(named_key_frame(source, T + 1)) is None
    assert result(named_key_frame(source, T + 1000)) is None
    assert name_of(T + 250, T + 250) == f"{T // 1000}"
    assert name_of(T + 750, T + 250) == f"{T // 1000}.750"
    assert name_of(T, None) == f"{T // 1000}"
