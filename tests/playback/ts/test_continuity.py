"""What is sent as MPEG-TS keeps the rules of MPEG-TS, wherever it is joined."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.body.body import Body
from flussdvr.errors import DvrError
from flussdvr.live.fragment import LiveFragment
from flussdvr.media import Codec, Sample, Track
from flussdvr.playback.fragments import Span, live_span
from flussdvr.playback.selection import Selection, parse_selection, selected
from flussdvr.playback.ts.continuity import Continuity, Placed
from flussdvr.playback.ts.segments import measure, mux
from flussdvr.playback.ts.streams import cut
from flussdvr.timeline import Range
from tests.formats.recorded import B_FRAMES, OPEN_GOP, UTC, Blob, Media, audio, part, record, video
from tests.formats.ts_rules import TsRules, faults, rules_of

PICTURES = {0x100, 0x180}
"""PIDs of H.264 and H.265."""


def spans_of(blob: Blob, rows: int = 1) -> list[Span]:
    """The fragments of a blob, `rows` at a time."""
    table = blob.table
    whole = Span(table, 0, len(table), Body((blob.data[int(table.offset[0]) :],)), int(table.offset[0]))
    return [cut(whole, first, min(first + rows, len(table))) for first in range(0, len(table), rows)]


def packets(placed: Placed, selection: Selection | None = None) -> bytes:
    span = placed.span
    tables = [span.table.samples(track.id, span.first, span.stop) for track in selected(span.table.tracks, selection)]
    data = mux(tables, [part for part in span.body.parts if isinstance(part, bytes)], placed)
    assert len(data) == measure(placed, selection)
    return data


def stream(spans: list[Span], tracks: str = "", file: bool = False) -> list[bytes]:
    """The spans as one stream, or as one file: then they are known beforehand."""
    selection = parse_selection(tracks) if tracks else None
    continuity = Continuity(selection, spans if file else ())
    placed = [one for span in spans if (one := continuity.place(span)) is not None]
    return [packets(one, selection) for one in placed]


def versions(parts: list[bytes]) -> list[int]:
    return [section[5] >> 1 & 31 for section in rules_of(parts).programs]


SETS = {
    "b-frames": lambda: (video(parameters=B_FRAMES), audio()),
    "no reordering": lambda: (video(), audio()),
    "open GOPs": lambda: (video(parameters=OPEN_GOP), audio()),
    "h265": lambda: (video("libx265", B_FRAMES), audio()),
    "two sounds": lambda: (video(parameters=B_FRAMES), audio(), audio("ac3", track_id=3)),
    "video alone": lambda: (video(parameters=B_FRAMES),),
    "audio alone": lambda: (audio(frames=300),),
    "mp2": lambda: (video(parameters=B_FRAMES), audio("mp2")),
}


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_segments_of_one_recording_follow_each_other(kind: str, rows: int) -> None:
    """Made one by one and joined, without a word between them: as a player does with what a playlist lists."""
    spans = spans_of(record(*SETS[kind](), per_fragment=7), rows)
    parts = [packets(Placed(span)) for span in spans]
    assert faults(parts) == []
    assert parts == stream(spans)
    assert len(rules_of(parts).programs) == 1


def test_the_clock_goes_on_where_sound_reaches_further_than_the_pictures() -> None:
    """Sound is cut where pictures are shown, and these are decoded before: the next PCR belongs to a picture."""
    first, second, *_ = spans_of(record(video(parameters=B_FRAMES), audio(), per_fragment=10))
    one, other = (rules_of(packets(Placed(span))) for span in (first, second))
    assert one.dts[0x101][-1] > other.dts[0x100][0], "sound ends after the next picture's decode time"
    assert (other.pcrs[0] - one.pcrs[-1]) % (1 << 33) == 3600, "one picture later"


def slides(seconds: float, count: int, reorder: int = 0) -> Media:
    """A picture every so many seconds, each of them a key frame or every second one."""
    key = video().samples[0].data
    step = round(seconds * 90000)
    track = replace(video().track, frame_rate=None)
    return Media(track, [Sample(step * n, key, n % 2 == 0 or not reorder, reorder) for n in range(count)])


@pytest.mark.parametrize("seconds", [0.2, 1, 10, 45])
@pytest.mark.parametrize("with_sound", [False, True])
def test_slow_pictures(seconds: float, with_sound: bool) -> None:
    sound = (audio(frames=round(seconds * 4 * 48000 / 1024)),) if with_sound and seconds < 11 else ()
    spans = spans_of(record(slides(seconds, 4), *sound, per_fragment=1))
    parts = [packets(Placed(span)) for span in spans]
    assert faults(parts) == []
    rules = rules_of(parts)
    assert len(rules.dts[0x100]) == 4
    covered = (rules.pcrs[-1] - rules.pcrs[0]) / 90000
    assert covered > seconds * 4 - 0.11, "the clock runs while the last picture is shown"


def test_a_long_group_has_its_tables() -> None:
    """One segment of a minute."""
    track = replace(video().track, frame_rate=None)
    key, rest = video().samples[0], video().samples[1]
    film = Media(track, [Sample(3600 * n, (rest if n else key).data, not n) for n in range(1500)])
    (span,) = spans_of(record(film, audio(frames=2800), per_fragment=25), 100)
    assert faults(packets(Placed(span))) == []


def test_across_a_gap_time_goes_on() -> None:
    one = record(video(parameters=B_FRAMES), audio(), per_fragment=10)
    other = record(video(parameters=B_FRAMES), audio(), begin=UTC + 500, per_fragment=10)
    parts = stream(spans_of(one) + spans_of(other))
    assert faults(parts) == []
    pts = sorted(rules_of(parts).pts[0x100])
    assert set(np.diff(pts)) == {3600}, "the pictures come at their pace"
    assert faults([packets(Placed(span)) for span in spans_of(one) + spans_of(other)], said={5}) == []


CHANGES = {
    "resolution": (lambda: (video(), audio()), lambda: (video(width=176), audio()), 1),
    "codec": (lambda: (video(), audio()), lambda: (video("libx265", B_FRAMES), audio()), 2),
    "back": (lambda: (video("libx265", B_FRAMES), audio()), lambda: (video(), audio()), 2),
    "more reordering": (lambda: (video(), audio()), lambda: (video(parameters=B_FRAMES), audio()), 1),
    "less reordering": (lambda: (video(parameters=B_FRAMES), audio()), lambda: (video(), audio()), 1),
    "sound comes": (lambda: (video(parameters=B_FRAMES),), lambda: (video(parameters=B_FRAMES), audio()), 2),
    "sound goes": (lambda: (video(parameters=B_FRAMES), audio()), lambda: (video(parameters=B_FRAMES),), 2),
    "pictures come": (lambda: (audio(track_id=1),), lambda: (video(parameters=B_FRAMES), audio()), 2),
    "pictures go": (lambda: (video(parameters=B_FRAMES), audio()), lambda: (audio(track_id=1),), 2),
    "codec of sound": (lambda: (video(), audio()), lambda: (video(), audio("ac3")), 2),
    "second sound": (lambda: (video(), audio()), lambda: (video(), audio(), audio("mp2", track_id=3)), 2),
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("gap", [Fraction(0), Fraction(3), Fraction(1, 20), Fraction(-1, 25)])
def test_across_a_change(kind: str, gap: Fraction) -> None:
    before, after, programs = CHANGES[kind]
    one = record(*before(), per_fragment=10)
    end_ms = int(one.table.end_ms[-1])
    other = record(*after(), begin=Fraction(end_ms, 1000) + gap, per_fragment=10)
    parts = stream(spans_of(one) + spans_of(other))
    # At an overlap the last frame of sound may be there twice.
    found = [fault for fault in faults(parts) if not (gap < 0 and "0x101: DTS" in fault)]
    assert found == []
    numbers = versions(parts)
    assert len(numbers) == programs
    assert all((b - a) % 32 == 1 for a, b in zip(numbers, numbers[1:], strict=False))


@pytest.mark.parametrize("kind", CHANGES)
def test_programs_that_differ_have_other_versions(kind: str) -> None:
    """Also where each segment is made without knowledge of the other."""
    before, after, programs = CHANGES[kind]
    first = versions([packets(Placed(spans_of(record(*media(), per_fragment=10))[0])) for media in (before,)])
    second = versions([packets(Placed(spans_of(record(*media(), per_fragment=10))[0])) for media in (after,)])
    assert (first != second) == (programs == 2)


def test_a_change_that_the_selected_tracks_do_not_see() -> None:
    one = record(video(parameters=B_FRAMES), audio(), per_fragment=10)
    other = record(video(parameters=B_FRAMES), begin=UTC + 2, per_fragment=10)
    parts = stream(spans_of(one) + spans_of(other), "v1")
    assert faults(parts) == []
    assert len(rules_of(parts).programs) == 1


def test_tracks_that_are_not_there_are_waited_for() -> None:
    one = record(video(parameters=B_FRAMES), audio(), per_fragment=10)
    silent = record(video(parameters=B_FRAMES), begin=UTC + 2, per_fragment=10)
    again = record(video(parameters=B_FRAMES), audio(), begin=UTC + 4, per_fragment=10)
    parts = stream(spans_of(one) + spans_of(silent) + spans_of(again), "a1")
    assert len(parts) == 10
    assert faults(parts) == []


@pytest.mark.parametrize("per_fragment", [10, 4, 3])
def test_live_fragments_and_the_archive_are_the_same_stream(per_fragment: int) -> None:
    """Also those that begin in the middle of a group, whose own table does not know when they are shown."""
    blob = record(video(parameters=B_FRAMES), audio(), per_fragment=per_fragment)
    table = blob.table
    continuity, live = Continuity(None), []
    for row in range(len(table)):
        begin, size = int(table.offset[row]), int(table.size[row])
        begin_ms, end_ms = int(table.begin_ms[row]), int(table.end_ms[row])
        data = blob.data[begin : begin + size]
        fragment = LiveFragment(data, int(table.head_size[row]), begin_ms, end_ms, bool(table.sync[row]))
        placed = continuity.place(live_span(table.init, [fragment]), shown=Range(begin_ms, end_ms))
        assert placed is not None and placed.shift_ms == placed.lead == 0
        live.append(packets(placed))
    assert faults(live) == []
    assert live == stream(spans_of(blob))


def test_pictures_shown_before_they_are_decoded() -> None:
    """Negative composition offsets, as version 1 of `trun` allows them."""
    film = video(parameters=B_FRAMES)
    early = Media(film.track, [replace(sample, cto=sample.cto - 7200) for sample in film.samples])
    spans = spans_of(record(early, per_fragment=10), 5)
    assert faults([packets(Placed(span)) for span in spans]) == []


def test_a_track_without_a_place_is_said() -> None:
    film = Media(Track(1, Codec.MJPEG, 90000, width=64, height=48), video().samples)
    with pytest.raises(DvrError):
        Continuity(None).place(spans_of(record(film))[0])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(SETS)), st.integers(0, 40), st.integers(0, 900), st.integers(1, 4)),
        min_size=1,
        max_size=5,
    )
)
def test_any_recordings_one_after_the_other(recordings: list[tuple[str, int, int, int]]) -> None:
    spans: list[Span] = []
    begin = Fraction(UTC)
    for kind, skip, gap_ms, rows in recordings:
        media = SETS[kind]()
        sound_first = kind == "audio alone"
        media = tuple(part(one, 0, 30 if one.track.is_video else 60) for one in media)
        if sound_first:
            media = (part(media[0], skip, skip + 60),)
        blob = record(*media, begin=begin + Fraction(gap_ms, 1000), per_fragment=10)
        begin = Fraction(int(blob.table.end_ms[-1]) + 30, 1000)
        spans += spans_of(blob, rows)
    assert faults(stream(spans)) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["b-frames", "no reordering", "h265", "video alone"]),
            st.integers(20, 900_000),
            st.integers(1, 5),
        ),
        min_size=2,
        max_size=5,
    )
)
def test_pictures_keep_their_distance_where_recordings_are_joined(recordings: list[tuple[str, int, int]]) -> None:
    """Whatever part of a millisecond they begin at: a player that counts in frames has one for each."""
    spans: list[Span] = []
    begin = Fraction(UTC)
    for kind, gap_us, rows in recordings:
        blob = record(*SETS[kind](), begin=begin + Fraction(gap_us, 1_000_000), per_fragment=10)
        begin = Fraction(int(blob.table.end_ms[-1]) + 30, 1000)
        spans += spans_of(blob, rows)
    rules = rules_of(stream(spans))
    steps = np.diff(sorted(pts for pid in PICTURES for pts in rules.pts.get(pid, [])))
    for pid in PICTURES & rules.dts.keys():
        assert np.diff(rules.dts[pid]).min(initial=3600) >= 3600
    assert steps.min() >= 3600
    within = {kind for kind, *_ in recordings} <= {"b-frames", "video alone"}
    assert not within or steps.max() <= 3600 + 90 + 900


# --- the rules themselves ---------------------------------------------------------------------------------------------


def good() -> bytes:
    return packets(Placed(spans_of(record(video(parameters=B_FRAMES), audio(), per_fragment=10), 5)[0]))


def broken(what: str) -> bytes:
    data = bytearray(good())
    rows = [slice(at, at + 188) for at in range(0, len(data), 188)]
    video_rows = [row for row in rows if data[row][1] & 0x1F == 1 and data[row][2] == 0]
    clocks = [row for row in video_rows if data[row][3] & 0x20 and data[row][4] and data[row][5] & 0x10]
    match what:
        case "sync":
            data[188] = 0
        case "lost":
            del data[video_rows[5]]
        case "twice":
            data[video_rows[5].start : video_rows[5].start] = data[video_rows[5]]
        case "pcr":
            data[clocks[4].start + 6] += 1
        case "back":
            data[clocks[4].start + 6 : clocks[4].start + 11] = data[clocks[1].start + 6 : clocks[1].start + 11]
        case "crc":
            data[188 + 12] ^= 1
        case "adaptation":
            data[clocks[4].start + 4] = 200
        case "tail":
            del data[-5:]
        case "pid":
            data[video_rows[0].start + 2] = 9
        case "pes":
            sound = next(row for row in rows if data[row][1] & 0x5F == 0x41 and data[row][2] == 1)
            at = sound.start + 4 + (1 + data[sound.start + 4] if data[sound.start + 3] & 0x20 else 0)
            data[at + 5] ^= 1
        case "psi":
            tables = [row for row in rows if data[row][1] & 0x1F == 0 and data[row][2] == 0]
            for row in reversed(tables[1:]):
                del data[row]
    return bytes(data)


@pytest.mark.parametrize(
    "what", ["sync", "lost", "twice", "pcr", "back", "crc", "adaptation", "tail", "pid", "pes", "psi"]
)
def test_the_rules_find(what: str) -> None:
    assert faults(good()) == []
    assert faults(broken(what)) != []


def test_the_rules_find_a_version_that_stays() -> None:
    one, other = video(), video("libx265", B_FRAMES)
    first, second = (
        spans_of(record(media, begin=UTC + n * 2, per_fragment=10), 5)[0] for n, media in enumerate((one, other))
    )
    parts = [packets(Placed(first, version=3)), packets(Placed(second, version=3))]
    assert any("version" in fault for fault in faults(parts))
    again = [packets(Placed(first, version=3)), packets(Placed(first, version=4))]
    assert any("version" in fault for fault in faults(again))


def test_the_rules_take_a_stream_in_any_pieces_of_packets() -> None:
    data = good()
    rules = TsRules()
    for at in range(0, len(data), 188):
        rules.feed(data[at : at + 188])
    rules.flush()
    assert rules.found == []


def frames_of(data: bytes) -> dict[str, int]:
    """What ffmpeg decodes that looks at the beginning only once, by kind."""
    counts = {"video": 0, "audio": 0}
    with av.open(io.BytesIO(data), format="mpegts") as file:
        first = [one for one in (file.streams.best("video"), file.streams.best("audio")) if one is not None]
        for packet in file.demux(first):
            for frame in packet.decode():
                counts["video" if isinstance(frame, av.VideoFrame) else "audio"] += 1
    return counts


@pytest.mark.parametrize(
    "kinds",
    [("audio alone", "b-frames"), ("b-frames", "audio alone", "b-frames"), ("video alone", "b-frames", "video alone")],
)
def test_a_file_announces_what_comes_later(kinds: tuple[str, ...]) -> None:
    """Pictures after sound alone, sound after pictures alone: a player that sets up once has them all."""
    spans: list[Span] = []
    expected = {"video": 0, "audio": 0}
    begin = Fraction(UTC)
    for kind in kinds:
        blob = record(*SETS[kind](), begin=begin, per_fragment=10)
        begin = Fraction(int(blob.table.end_ms[-1]), 1000)
        spans += spans_of(blob, 2)
        for track in blob.table.tracks:
            expected["video" if track.is_video else "audio"] += len(blob.table.samples(track.id))
    parts = stream(spans, file=True)
    assert faults(parts) == []
    assert len(rules_of(parts).programs) == 1
    found = frames_of(b"".join(parts))
    assert found["video"] == expected["video"]
    assert abs(found["audio"] - expected["audio"]) <= 2 * len(kinds), "but for what AAC needs to begin"


def test_another_codec_has_a_pid_of_its_own() -> None:
    """And the one before is announced no more: players go on with the one that there is."""
    blob = record(*SETS["b-frames"](), per_fragment=10)
    later = record(*SETS["h265"](), begin=Fraction(int(blob.table.end_ms[-1]), 1000), per_fragment=10)
    parts = stream(spans_of(blob, 2) + spans_of(later, 2), file=True)
    rules = rules_of(parts)
    assert faults(parts) == []
    assert len(rules.programs) == 2
    assert [len(rules.dts[pid]) for pid in (0x100, 0x180)] == [
        len(one.table.samples(one.table.tracks[0].id)) for one in (blob, later)
    ]
