from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.mp4.boxes import box, full_box
from flussdvr.formats.mp4.fmp4 import BlobInfo, Run, blob_info_box, parse_fragment, write_fragment, write_init
from flussdvr.formats.mp4.fragment_table import DamagedIndex, FragmentTable
from flussdvr.media import Codec, Sample, Track
from flussdvr.timeline import to_ms
from tests.formats import recorded

VIDEO = Track(1, Codec.H264, 90000, b"\1d\0\x1f\xff\xe1\0\0\1\0\0", width=1280, height=720, frame_rate=Fraction(25))
AUDIO = Track(2, Codec.AAC, 48000, b"\x11\x90", channels=2, sample_rate=48000)
OTHER = Track(3, Codec.MP3, 44100, channels=2, sample_rate=44100)
INFO = BlobInfo("cam", 5000, 40, None)
UTC = recorded.UTC


def hole(size: int) -> bytes:
    return b"\0\0\0\1free" + size.to_bytes(8)


@dataclass
class Made:
    """An index that was made of runs, fragment by fragment; a number is a deleted span."""

    tracks: list[Track]
    fragments: list[list[Run] | int]
    foreign: bool = False

    def index(self) -> bytes:
        parts = [write_init(self.tracks), blob_info_box(INFO)]
        for number, runs in enumerate(self.fragments):
            if isinstance(runs, int):
                parts.append(hole(runs))
            else:
                head, _ = write_fragment(number + 1, runs)
                parts.append(foreign(head) if self.foreign and number % 2 else head)
        return b"".join(parts)


def foreign(head: bytes) -> bytes:
    """The same fragment in another layout: every column in the rows, a box more in the `moof`."""
    fragment = parse_fragment(head[:-8], {})

    def moof(moved: int) -> bytes:
        trafs = []
        for run in fragment.runs:
            assert run.dts is not None
            cells = [value for row in run.rows for value in (row.duration, row.size, row.flags, row.cto & 0xFFFFFFFF)]
            trun = struct.pack(f">{2 + len(cells)}I", len(run.rows), run.data_offset + moved, *cells)
            tfdt = full_box(b"tfdt", 1, 0, run.dts.to_bytes(8))
            tfhd = full_box(b"tfhd", 0, 0x020000, run.track_id.to_bytes(4))
            trafs.append(box(b"traf", tfhd, tfdt, full_box(b"trun", 1, 0xF01, trun)))
        return box(b"moof", full_box(b"mfhd", 0, 0, bytes(4)), *trafs, box(b"free", b"12345"))

    return moof(len(moof(0)) + 8 - len(head)) + head[-8:]


def naive(made: Made, index: bytes) -> dict[str, list[int]]:
    """The columns as the contract says them, one fragment after the other."""
    reference = next((track for track in made.tracks if track.is_video), made.tracks[0])
    at = len(write_init(made.tracks)) + len(blob_info_box(INFO))
    position = at
    shift = None
    rows: list[dict[str, int]] = []
    for runs in made.fragments:
        if isinstance(runs, int):
            at, position = at + runs, position + 16
            continue
        moof = int.from_bytes(index[position : position + 4])
        mdat = int.from_bytes(index[position + moof : position + moof + 4])
        position += moof + 8
        anchor = next((run for run in runs if run.track == reference), runs[0])
        first = anchor.samples[0]
        ours = anchor.track == reference
        sync = (first.sync and ours) or not reference.is_video
        moved = 0
        if ours and reference.is_video:
            shift = first.cto if first.sync else shift
            moved = first.cto if shift is None else shift
        scale = anchor.track.timescale
        rows.append(
            {
                "offset": at,
                "size": moof + mdat,
                "head_size": moof + 8,
                "begin_ms": to_ms(anchor.dts + moved, scale),
                "own_end": to_ms(anchor.dts + moved + sum(anchor.durations), scale),
                "sync": sync,
            }
        )
        at += moof + mdat
    for row, following in zip_longest(rows, rows[1:]):
        row["end_ms"] = row.pop("own_end")
        if following and following["offset"] == row["offset"] + row["size"]:
            row["end_ms"] = max(following["begin_ms"], row["begin_ms"])
    return {key: [row[key] for row in rows] for key in ("offset", "size", "head_size", "begin_ms", "end_ms", "sync")}


def columns(table: FragmentTable) -> dict[str, list[int]]:
    return {key: getattr(table, key).tolist() for key in ("offset", "size", "head_size", "begin_ms", "end_ms", "sync")}


samples = st.lists(
    st.tuples(st.integers(1, 9000), st.integers(0, 300), st.sampled_from([0, 0, 3600, -100])), min_size=1, max_size=5
)


@st.composite
def recordings(draw: st.DrawFn) -> Made:
    tracks = draw(st.sampled_from([[VIDEO, AUDIO], [VIDEO], [AUDIO], [AUDIO, VIDEO, OTHER], [OTHER, AUDIO]]))
    fragments: list[list[Run] | int] = []
    for second in range(draw(st.integers(0, 8))):
        if draw(st.integers(0, 5)) == 0:
            fragments.append(draw(st.integers(16, 1 << 40)))
        runs = []
        chosen = [track for track in tracks if draw(st.integers(0, 3))] or tracks[-1:]
        for track in chosen:
            rows = draw(samples)
            constant = draw(st.booleans())
            rows = [rows[0]] * len(rows) if constant else rows
            sync = not track.is_video or draw(st.booleans())
            made = [
                Sample(0, bytes(size), (sync if at == 0 else not track.is_video), cto if track.is_video else 0)
                for at, (_, size, cto) in enumerate(rows)
            ]
            dts = (UTC + second) * track.timescale + draw(st.integers(0, 90))
            runs.append(Run(track, dts, [row[0] for row in rows], made))
        fragments.append(runs)
    return Made(tracks, fragments, draw(st.booleans()))


@given(recordings())
@settings(max_examples=150, deadline=None)
def test_columns_are_what_a_naive_model_says(made: Made) -> None:
    index = made.index()
    table = FragmentTable(index)
    assert columns(table) == naive(made, index)
    assert table.consumed == len(index)
    assert table.tracks == tuple(made.tracks)
    assert table.info == INFO
    fragments = [runs for runs in made.fragments if not isinstance(runs, int)]
    for track in made.tracks:
        first, stop = len(fragments) // 3, len(fragments)
        found = table.samples(track.id, first, stop)
        expected = [run for runs in fragments[first:] for run in runs if run.track == track]
        assert found.sizes.tolist() == [len(one.data) for run in expected for one in run.samples]
        assert found.durations.tolist() == [one for run in expected for one in run.durations]
        assert found.cto.tolist() == [one.cto for run in expected for one in run.samples]
        assert found.sync.tolist() == [one.sync for run in expected for one in run.samples]
        assert found.run_counts.tolist() == [len(run.samples) for run in expected]
        assert found.run_dts.tolist() == [run.dts for run in expected]
        assert found.dts == (expected[0].dts if expected else 0)
        times = [run.dts + sum(run.durations[:at]) for run in expected for at in range(len(run.samples))]
        assert found.decode_times().tolist() == times
        ends = found.offsets() + found.sizes
        inside = table.offset[found.run_fragments]
        assert (found.run_offsets >= inside).all()
        assert (ends <= np.repeat((table.offset + table.size)[found.run_fragments], found.run_counts)).all()


@given(recordings(), st.data())
@settings(max_examples=80, deadline=None)
def test_growing_is_the_same_as_reading_all(made: Made, data: st.DataObject) -> None:
    index = made.index()
    table, end = FragmentTable(), 0
    while end < len(index):
        end = min(len(index), end + data.draw(st.integers(1, 900)))
        table.extend(index[table.consumed : end])
    whole = FragmentTable(index)
    assert columns(table) == columns(whole)
    assert (table.blob_size, table.consumed) == (whole.blob_size, whole.consumed)
    for track in made.tracks:
        assert table.samples(track.id).sizes.tolist() == whole.samples(track.id).sizes.tolist()


def small(count: int = 4, foreign: bool = False) -> bytes:
    fragments: list[list[Run] | int] = []
    for second in range(count):
        video = [Sample(0, bytes(9 + at), at == 0 and second % 2 == 0, 3600) for at in range(3)]
        audio = [Sample(0, bytes(4)) for _ in range(2)]
        fragments.append(
            [
                Run(VIDEO, (UTC + second) * 90000, [30000] * 3, video),
                Run(AUDIO, (UTC + second) * 48000, [24000] * 2, audio),
            ]
        )
    fragments.insert(2, 1000)
    return Made([VIDEO, AUDIO], fragments, foreign).index()


@pytest.mark.parametrize("foreign", [False, True])
def test_cut_off_anywhere(foreign: bool) -> None:
    index = small(foreign=foreign)
    whole = columns(FragmentTable(index))
    for size in range(len(index)):
        table = FragmentTable(index[:size])
        assert table.consumed <= size
        assert table.offset.tolist() == whole["offset"][: len(table)]
        assert table.begin_ms.tolist() == whole["begin_ms"][: len(table)]
        table.extend(index[table.consumed :])
        assert columns(table) == whole


@pytest.mark.parametrize(
    "junk", [bytes(100), b"garbage!" * 4, box(b"mdat", b"x"), b"\0\0\0\x10free" + bytes(8), hole(3)]
)
def test_garbage_behind_good(junk: bytes) -> None:
    index = small()
    table = FragmentTable()
    with pytest.raises(DamagedIndex) as error:
        table.extend(index + junk)
    assert error.value.offset == table.consumed == len(index)
    assert columns(table) == columns(FragmentTable(index))


@given(st.binary(max_size=300))
@example(b"\0\0\0\x08ftyp\0\0\0\x08moov")
def test_garbage(data: bytes) -> None:
    for prefix in (b"", write_init([VIDEO]), small(2)):
        try:
            FragmentTable(prefix + data)
        except DamagedIndex as error:
            assert 0 <= error.offset <= len(prefix) + len(data)


@given(st.data(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_damaged(data: st.DataObject, foreign: bool) -> None:
    index = bytearray(small(6, foreign))
    for _ in range(data.draw(st.integers(1, 5))):
        index[data.draw(st.integers(0, len(index) - 1))] = data.draw(st.integers(0, 255))
    table = FragmentTable()
    try:
        table.extend(index)
    except DamagedIndex as error:
        assert error.offset <= len(index)
    table.segments()
    assert len(table.end_ms) == len(table.begin_ms) == len(table.sync) == len(table)
    for track in table.tracks:
        try:
            table.samples(track.id)
        except FormatError:
            pass


def test_damage_inside_a_fragment_keeps_those_before() -> None:
    index = small()
    good = FragmentTable(index)
    at = index.rindex(b"tfdt")
    table = FragmentTable()
    with pytest.raises(DamagedIndex) as error:
        table.extend(index[:at] + b"xxxx" + index[at + 4 :])
    assert error.value.offset == table.consumed == index.rindex(b"moof") - 4
    assert table.offset.tolist() == good.offset.tolist()[:-1]


def test_absurd_dates_are_damage() -> None:
    moof, _ = write_fragment(1, [Run(AUDIO, (1 << 58) + 5, [1], [Sample(0, b"x")])])
    index = write_init([replace(AUDIO, timescale=1)]) + moof
    with pytest.raises(DamagedIndex, match="date"):
        FragmentTable(index)


def test_run_out_of_its_fragment_is_damage() -> None:
    head, _ = write_fragment(1, [Run(AUDIO, 5, [1, 2], [Sample(0, bytes(7))] * 2)])
    at = head.index(bytes.fromhex("00000007"))
    table = FragmentTable(write_init([AUDIO]) + head[:at] + b"\0\x10\0\0" + head[at + 4 :])
    with pytest.raises(FormatError, match="reaches out"):
        table.samples(AUDIO.id)


def test_audio_only_fragment_in_a_video_stream() -> None:
    """It is dated by its audio, is not a place to begin, and does not disturb the shift of later pictures."""

    def video(second: float, sync: bool) -> Run:
        return Run(VIDEO, int((UTC + second) * 90000), [90000], [Sample(0, b"v", sync, 7200 if sync else 3600)])

    def audio(second: float) -> Run:
        return Run(AUDIO, int((UTC + second) * 48000), [48000], [Sample(0, b"a")])

    fragments = [[video(0, True), audio(0.08)], [audio(1.08)], [video(2, False), audio(2.08)]]
    table = FragmentTable(Made([VIDEO, AUDIO], list(fragments)).index())
    assert (table.begin_ms - UTC * 1000).tolist() == [80, 1080, 2080]
    assert (table.end_ms - UTC * 1000).tolist() == [1080, 2080, 3080]
    assert table.sync.tolist() == [True, False, False]


def test_segments() -> None:
    index = small(20)
    table = FragmentTable(index)
    segments = table.segments()
    # Two fragments, a deleted span, and then: pictures to begin with at 2, 8, 14 s.
    assert segments.first.tolist() == [0, 2, 8, 14]
    assert segments.count.tolist() == [2, 6, 6, 6]
    assert ((segments.begin_ms - UTC * 1000) // 1000).tolist() == [0, 2, 8, 14]
    assert ((segments.end_ms - UTC * 1000) // 1000).tolist() == [2, 8, 14, 20]
    assert segments.sequence.tolist() == [40, 41, 42, 43]
    assert segments.complete.tolist() == [True, True, True, False]
    assert table.segments(closed=True).complete.all()
    assert (segments.offset + segments.size).tolist() == [
        *(segments.offset[1:] - [1000, 0, 0]).tolist(),
        table.blob_size,
    ]


@given(recordings(), st.integers(1, 4000))
@settings(max_examples=80, deadline=None)
def test_segments_are_what_a_naive_model_says(made: Made, segment_ms: int) -> None:
    table = FragmentTable(made.index())
    table.info = replace(table.info, segment_ms=segment_ms)
    rows: list[list[int]] = []
    lost = False
    for row in range(len(table)):
        lost = lost or row in table._until_ms
        due = rows and table.begin_ms[row] >= table.begin_ms[rows[-1][0]] + segment_ms
        if (table.sync[row] and (due or lost)) or (row == 0 and not lost):
            rows.append([])
            lost = False
        if not lost:
            rows[-1].append(row)
    segments = table.segments()
    assert segments.first.tolist() == [some[0] for some in rows]
    assert segments.count.tolist() == [len(some) for some in rows]
    assert [row for begin, end in table.stretches() for row in range(begin, end)] == sum(rows, [])


def test_prefixes_have_the_same_segments() -> None:
    index = small(30)
    whole = FragmentTable(index).segments(closed=True)
    table, end = FragmentTable(), 0
    while end < len(index):
        end += 150
        table.extend(index[table.consumed : end])
        segments = table.segments()
        done = int(segments.complete.sum())
        assert segments.first.tolist() == whole.first.tolist()[: len(segments)]
        assert segments.size.tolist()[:done] == whole.size.tolist()[:done]


def test_empty() -> None:
    table = FragmentTable()
    assert (len(table), table.consumed, table.tracks, len(table.segments())) == (0, 0, (), 0)
    table.extend(write_init([VIDEO, AUDIO]))
    assert len(table.segments()) == 0
    assert len(table.samples(1)) == 0
    assert table.blob_size == len(table.init) == table.consumed
    with pytest.raises(KeyError):
        table.samples(9)


def test_a_recording() -> None:
    video, audio = recorded.video("libx264", recorded.B_FRAMES), recorded.audio()
    blob = recorded.record(video, audio, per_fragment=5, info=INFO)
    table = blob.table
    assert table.blob_size == len(blob.data)
    assert (table.begin_ms - UTC * 1000).tolist() == list(range(0, 2000, 200))
    assert (table.end_ms[-1], table.nbytes > len(blob.index)) == (UTC * 1000 + 2000, True)
    for media in (video, audio):
        found = table.samples(media.track.id)
        stored = zip(found.offsets().tolist(), found.sizes.tolist(), strict=True)
        assert [blob.data[at : at + size] for at, size in stored] == [one.data for one in media.samples]
