from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.errors import DvrError, FormatError
from flussdvr.formats.mp4.boxes import boxes, find
from flussdvr.formats.mp4.fmp4 import BlobInfo
from flussdvr.formats.mp4.fragment_table import FragmentTable
from flussdvr.formats.mp4.ilst import Metadata
from flussdvr.formats.mp4.in_band import in_band_sets
from flussdvr.formats.mp4.progressive import Gaps, Mp4Head, Piece, head, one_frame
from flussdvr.timeline import Range
from tests.formats import recorded
from tests.formats.recorded import UTC, Blob, Media, part, record, shown, virtual

KINDS = [
    ("libx264", recorded.CLOSED),
    ("libx264", recorded.B_FRAMES),
    ("libx264", recorded.OPEN_GOP),
    ("libx265", recorded.B_FRAMES),
    ("libx265", recorded.OPEN_GOP),
    ("mjpeg", ""),
]
kinds = pytest.mark.parametrize(("encoder", "parameters"), KINDS)
WINDOWS = [
    (0, 2000),
    (500, 1300),
    (1000, 1500),
    (480, 880),
    (440, 900),
    (521, 523),
    (525, 530),
    (-5000, 5000),
    (1937, 2000),
]


def at(begin_ms: int, end_ms: int) -> Range:
    return Range(UTC * 1000 + begin_ms, UTC * 1000 + end_ms)


def whole(*blobs: Blob) -> list[Piece]:
    return [Piece(blob.table, 0, len(blob.table), number) for number, blob in enumerate(blobs)]


def cut(window: Range, *blobs: Blob, gaps: Gaps = "skip", tracks: list[int] | None = None) -> tuple[Mp4Head, bytes]:
    made = head(whole(*blobs), window, gaps=gaps, tracks=tracks)
    return made, virtual(made, *blobs)


def ffmpeg(data: bytes, path: Path) -> str:
    """What FFmpeg complains of when it decodes everything."""
    if shutil.which("ffmpeg") is None:
        return ""
    (path / "out.mp4").write_bytes(data)
    command = ["ffmpeg", "-v", "error", "-xerror", "-i", str(path / "out.mp4"), "-f", "null", "-"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stderr + (f"exit status {result.returncode}" if result.returncode else "")


@kinds
def test_whole_blob_has_identical_packets(encoder: str, parameters: str, tmp_path: Path) -> None:
    video, audio = recorded.video(encoder, parameters), recorded.audio()
    blob = record(video, audio, info=BlobInfo("cam", 5000))
    made, data = cut(at(0, 2100), blob)
    packets = recorded.packets(data)
    assert packets[0] == [(one.dts, one.pts, one.data, one.sync) for one in video.samples]
    assert packets[1] == [(one.dts, one.dts, one.data, True) for one in audio.samples]
    assert shown(data) == [(pytest.approx(number / 25), number) for number in range(50)]
    assert len(made.parts) == 1
    assert made.begin_ms == UTC * 1000
    assert ffmpeg(data, tmp_path) == ""


@kinds
@pytest.mark.parametrize(("begin_ms", "end_ms"), WINDOWS)
def test_window_shows_exactly_what_was_shown_then(encoder: str, parameters: str, begin_ms: int, end_ms: int) -> None:
    blob = record(recorded.video(encoder, parameters), recorded.audio(), per_fragment=4)
    made, data = cut(at(begin_ms, end_ms), blob)
    begin_ms = max(begin_ms, 0)
    expected = [number for number in range(50) if begin_ms <= number * 40 < end_ms]
    found = shown(data)
    if expected:
        assert [number for _, number in found] == expected
        assert [second for second, _ in found] == pytest.approx([number / 25 - begin_ms / 1000 for number in expected])
    else:
        assert found == [(0.0, begin_ms // 40)]
    assert made.duration_ms == pytest.approx(min(end_ms, 2000) - begin_ms, abs=80)
    assert made.begin_ms == UTC * 1000 + begin_ms


@pytest.mark.parametrize(("begin_ms", "end_ms"), WINDOWS)
def test_sound_begins_and_ends_with_the_window(begin_ms: int, end_ms: int, tmp_path: Path) -> None:
    blob = record(recorded.video("libx264", recorded.B_FRAMES), recorded.audio(), per_fragment=4)
    _, data = cut(at(begin_ms, end_ms), blob)
    begin_ms, end_ms = max(begin_ms, 0), min(end_ms, 2000)
    with av.open(io.BytesIO(data)) as file:
        # FFmpeg adds the wait for the first picture to a duration that has it already.
        wait_ms = max(-begin_ms % 40, 0)
        assert 0 <= float(file.duration) / 1e6 - (end_ms - begin_ms) / 1000 <= wait_ms / 1000 + 0.0001
        frames = [(float(frame.time), frame.samples) for frame in file.decode(audio=0)]
    if end_ms - begin_ms < 1000 * 1024 / 48000:
        # FFmpeg plays nothing of less than a frame.
        return
    # The last frame may reach beyond the end; the edit list says so, and FFmpeg does not trim there.
    assert frames[0][0] == pytest.approx(0, abs=0.0003)
    assert sum(count for _, count in frames) / 48000 == pytest.approx((end_ms - begin_ms) / 1000, abs=1024 / 48000)
    assert ffmpeg(data, tmp_path) == ""


def test_sound_is_the_same_sound() -> None:
    """The samples that a player hears are, to the sample, those at that time of the whole recording."""
    blob = record(recorded.audio(frames=200), per_fragment=47)

    def heard(data: bytes) -> list[float]:
        with av.open(io.BytesIO(data)) as file:
            return [value for frame in file.decode(audio=0) for value in frame.to_ndarray()[0].tolist()]

    everything = heard(cut(at(0, 5000), blob)[1])
    later = heard(cut(at(1250, 2000), blob)[1])
    assert later[:30000] == pytest.approx(everything[60000:90000], abs=1e-4)


def test_edit_list_waits_for_audio_that_begins_late() -> None:
    video, audio = recorded.video(), recorded.audio()
    late = Media(audio.track, [replace(one, dts=one.dts + 31_000) for one in audio.samples])
    _, data = cut(at(0, 2000), record(video, late))
    with av.open(io.BytesIO(data)) as file:
        assert float(next(file.decode(audio=0)).time) == pytest.approx(31_000 / 48_000, abs=1e-4)


@pytest.mark.parametrize("gaps", ["skip", "keep"])
def test_gap_with_another_picture_size(gaps: Gaps, tmp_path: Path) -> None:
    first = record(recorded.video("libx264", recorded.CLOSED), recorded.audio())
    second = record(recorded.video("libx264", recorded.CLOSED, width=192), recorded.audio(), begin=UTC + 10)
    made, data = cut(at(400, 11_000), first, second, gaps=gaps)
    join = 1.6 if gaps == "skip" else 9.6
    expected = [((number - 10) / 25, number) for number in range(10, 50)]
    expected += [(join + number / 25, number) for number in range(25)]
    assert [number for _, number in shown(data)] == [number for _, number in expected]
    assert [second for second, _ in shown(data)] == pytest.approx([second for second, _ in expected])
    assert made.duration_ms == (2600 if gaps == "skip" else 10_600)
    assert list(dict.fromkeys(part[0] for part in made.parts if isinstance(part, tuple))) == [0, 1]
    with av.open(io.BytesIO(data)) as file:
        assert [frame.width for frame in file.decode(video=0)] == [160] * 40 + [192] * 25
    with av.open(io.BytesIO(data)) as file:
        times = [float(packet.pts * packet.time_base) for packet in file.demux(audio=0) if packet.size]
    # To the tick: the first sound after the join is as far behind it as it was behind the second blob's beginning.
    assert min(abs(one - join) for one in times) < 1 / 48000
    assert ffmpeg(data, tmp_path) == ""


def test_nothing_drifts_over_many_pieces() -> None:
    """
    Pieces of odd lengths: every one begins where the sum of the windows before says, in both tracks, to the next
    millisecond at which the picture in front of it is over.
    """
    video, audio = recorded.video(), recorded.audio(rate=44100)
    blobs, begin = [], Fraction(UTC)
    for number in range(12):
        blobs.append(record(part(video, 0, 20 + number), part(audio, 0, 34 + number), begin=begin))
        begin += 3 + Fraction(number, 7)
    made, data = cut(at(0, 100_000), *blobs)
    lengths = [int(blob.table.end_ms[-1] - blob.table.begin_ms[0]) for blob in blobs]
    begins_at = [int(blob.table.samples(1).dts) % 90 for blob in blobs]
    over_at = [(begin + 3600 * (20 + number)) % 90 for number, begin in enumerate(begins_at)]
    for number in range(1, 12):
        lengths[number - 1] += begins_at[number] < over_at[number - 1]
    assert made.duration_ms == sum(lengths)
    packets = recorded.packets(data)
    video_at, behind = 0, 0
    for blob, length in zip(blobs, lengths, strict=True):
        # A blob's times are cut to milliseconds: less than one of them is what the pieces may be off.
        exact = blob.table.samples(1).dts - int(blob.table.begin_ms[0]) * 90
        assert packets[0][video_at][1] == behind * 90 + exact
        begins = blob.table.samples(2).dts / 44.1 - int(blob.table.begin_ms[0])
        assert min(abs(one[1] / 44.1 - behind - begins) for one in packets[1]) <= 1 / 44.1
        video_at, behind = video_at + len(blob.table.samples(1)), behind + length


@kinds
def test_hours_follow_one_another_without_a_seam(encoder: str, parameters: str, tmp_path: Path) -> None:
    video, audio = recorded.video(encoder, parameters), recorded.audio()
    cut_at = next(number for number in range(20, 50) if video.samples[number].sync)
    border = sum(1 for one in audio.samples if one.dts / 48000 < cut_at / 25)
    shift = Fraction(video.samples[cut_at].pts - video.samples[0].pts, 90000)
    first = record(part(video, 0, cut_at), part(audio, 0, border))
    sound = Media(audio.track, audio.samples[border:])
    second = _with_sound(part(video, cut_at), sound, UTC + shift, UTC)
    whole_blob = record(video, audio)
    for begin_ms, end_ms in ((0, 2100), (440, 1700)):
        _, one = cut(at(begin_ms, end_ms), whole_blob)
        _, two = cut(at(begin_ms, end_ms), first, second)
        assert recorded.packets(two) == recorded.packets(one)
        assert shown(two) == shown(one)
        assert ffmpeg(two, tmp_path).replace("mmco: unref short failure", "").count("\n") <= 1


def _with_sound(video: Media, audio: Media, begin: Fraction, origin: int) -> Blob:
    """A blob whose audio is dated from `origin` and not from the blob's beginning."""
    moved = round((origin - begin) * audio.track.timescale)
    return record(video, Media(audio.track, [replace(one, dts=one.dts + moved) for one in audio.samples]), begin=begin)


def test_deleted_span_is_a_gap() -> None:
    blob = record(recorded.video(), recorded.audio(), per_fragment=10)
    table = blob.table
    begin, end = int(table.offset[2]), int(table.offset[3])
    heads = [blob.index[: blob.index.index(b"moof") - 4]]
    for number, (offset, size) in enumerate(zip(table.offset.tolist(), table.head_size.tolist(), strict=True)):
        hole = b"\0\0\0\1free" + (end - begin).to_bytes(8)
        heads.append(hole if number == 2 else blob.data[offset : offset + size])
    punched = Blob(blob.data[:begin] + bytes(end - begin) + blob.data[end:], b"", FragmentTable(b"".join(heads)))
    assert len(punched.table) == 4
    for gaps, duration in (("skip", 1600), ("keep", 2000)):
        made, data = cut(at(0, 2000), punched, gaps=gaps)
        assert made.duration_ms == duration
        assert [number for _, number in shown(data)] == [*range(20), *range(30, 50)]
        assert sum(length for _, _, length in made.parts) < len(blob.data) - (end - begin)


def test_tracks_are_chosen() -> None:
    video = recorded.video()
    blob = record(video, recorded.audio(), recorded.audio(track_id=3, rate=44100))
    _, data = cut(at(300, 1900), blob, tracks=[1, 3])
    with av.open(io.BytesIO(data)) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio"]
        assert file.streams[1].rate == 44100
    made, data = cut(at(300, 1900), blob, tracks=[2])
    assert list(recorded.packets(data)) == [0]
    assert len(data) < len(cut(at(300, 1900), blob)[1])


def test_track_that_comes_and_goes() -> None:
    video, audio = recorded.video(), recorded.audio()
    blobs = [record(video, begin=UTC), record(video, audio, begin=UTC + 10), record(video, begin=UTC + 20)]
    made, data = cut(at(0, 30_000), *blobs)
    assert made.duration_ms == 6000
    with av.open(io.BytesIO(data)) as file:
        assert float(next(file.decode(audio=0)).time) == pytest.approx(2, abs=1e-4)
    assert [number for _, number in shown(data)] == [*range(50)] * 3


def changed(encoder: str, parameters: str, *widths: int) -> list[Blob]:
    """Blobs of a second with pictures of these widths, one directly after the other."""
    media = [recorded.video(encoder, parameters, 25, width) for width in widths]
    return [record(one, recorded.audio(frames=47), begin=UTC + at) for at, one in enumerate(media)]


def entries(data: bytes) -> list[tuple[str, list[str]]]:
    """The handler of each track and its sample entries."""
    moov = next(box for box in boxes(data) if box.type == b"moov")
    found = []
    for trak in boxes(data, moov.body, moov.end):
        if trak.type == b"trak":
            hdlr = find(data, trak, b"mdia", b"hdlr")
            stsd = find(data, trak, b"mdia", b"minf", b"stbl", b"stsd")
            assert hdlr is not None and stsd is not None
            kinds = [entry.type.decode() for entry in boxes(data, stsd.body + 8, stsd.end)]
            found.append((data[hdlr.body + 8 : hdlr.body + 12].decode(), kinds))
    return found


@pytest.mark.parametrize(
    ("encoder", "parameters", "entry"),
    [
        ("libx264", recorded.CLOSED, "avc3"),
        ("libx264", recorded.B_FRAMES, "avc3"),
        ("libx265", recorded.B_FRAMES, "hev1"),
    ],
)
def test_parameter_sets_that_change_are_in_band(encoder: str, parameters: str, entry: str, tmp_path: Path) -> None:
    """One sample entry: most players look at the first only. The sets are where each of them may begin to play."""
    blobs = changed(encoder, parameters, 160, 320, 160)
    made, data = cut(at(0, 3000), *blobs)
    assert len(made) == len(data)
    assert entries(data) == [("vide", [entry]), ("soun", ["mp4a"])]
    found = recorded.packets(data)[0]
    for number, blob in enumerate(blobs):
        track = blob.table.tracks[0]
        sets = in_band_sets(track)
        samples = blob.table.samples(track.id)
        own = found[25 * number : 25 * number + 25]
        places = zip(samples.offsets().tolist(), samples.sizes.tolist(), samples.sync.tolist(), strict=True)
        assert [one[2] for one in own] == [(sets if sync else b"") + blob.data[o : o + n] for o, n, sync in places]
        assert sum(one[3] for one in own) == 3
    assert [value for _, value in shown(data)] == [*range(25)] * 3
    assert ffmpeg(data, tmp_path) == ""


def test_seeking_over_a_change_of_parameter_sets() -> None:
    _, data = cut(at(0, 3000), *changed("libx264", recorded.B_FRAMES, 160, 320, 160))
    with av.open(io.BytesIO(data)) as file:
        for second, width, value in ((1.4, 320, 10), (0.4, 160, 10), (2.0, 160, 0), (1.0, 320, 0), (0.0, 160, 0)):
            file.seek(round(second * 1_000_000))
            frame = next(frame for frame in file.decode(video=0) if frame.time >= second - 0.001)
            assert (frame.width, recorded.number(frame)) == (width, value)


def test_nothing_is_put_between_where_nothing_changes() -> None:
    made, data = cut(at(0, 3000), *changed("libx264", recorded.B_FRAMES, 160, 160, 160))
    assert entries(data)[0] == ("vide", ["avc1"])
    assert all(isinstance(part, tuple) for part in made.parts)


@pytest.mark.parametrize("begin_ms", [0, 200, 900, 1000, 1400])
@pytest.mark.parametrize("end_ms", [1040, 1900, 3000])
def test_windows_over_a_change(begin_ms: int, end_ms: int, tmp_path: Path) -> None:
    if begin_ms >= end_ms:
        return
    blobs = changed("libx264", recorded.B_FRAMES, 160, 320, 160)
    _, data = cut(at(begin_ms, end_ms), *blobs)
    assert [value for _, value in shown(data)] == [n % 25 for n in range(-(-begin_ms // 40), -(-end_ms // 40))]
    assert ffmpeg(data, tmp_path) == ""


@pytest.mark.parametrize("gaps", ["skip", "keep"])
def test_another_codec_is_another_track(gaps: Gaps, tmp_path: Path) -> None:
    kinds = (("libx264", UTC), ("libx265", UTC + 5), ("libx264", UTC + 6))
    blobs = [record(recorded.video(kind, frames=25), recorded.audio(frames=47), begin=at) for kind, at in kinds]
    _, data = cut(at(0, 9000), *blobs, gaps=gaps)
    assert entries(data) == [("vide", ["avc1"]), ("soun", ["mp4a"]), ("vide", ["hvc1"])]
    jump = 0 if gaps == "skip" else 4
    seconds = [*range(25), *(50 + 25 * jump + n for n in range(25))]
    assert shown(data) == [(pytest.approx(second / 25), n % 25) for n, second in enumerate(seconds)]
    with av.open(io.BytesIO(data)) as file:
        pictures = [(float(frame.time), recorded.number(frame)) for frame in file.decode(video=1)]
    assert pictures == [(pytest.approx(1 + jump + n / 25), n) for n in range(25)]
    assert ffmpeg(data, tmp_path) == ""


def test_sound_that_changes_within_its_codec_is_one_track(tmp_path: Path) -> None:
    video = recorded.video(frames=25)
    sounds = [recorded.audio(frames=47), recorded.audio(rate=44100, frames=43)]
    blobs = [record(video, sound, begin=UTC + at) for at, sound in enumerate(sounds)]
    _, data = cut(at(0, 2000), *blobs)
    assert entries(data) == [("vide", ["avc1"]), ("soun", ["mp4a", "mp4a"])]
    assert ffmpeg(data, tmp_path) == ""


@given(st.lists(st.tuples(st.sampled_from([160, 192, 320]), st.integers(0, 3)), min_size=1, max_size=5), st.data())
@settings(max_examples=25, deadline=None)
def test_any_changes(blobs: list[tuple[int, int]], draw: st.DataObject) -> None:
    """Every picture is what it was, wherever sets are put in between."""
    made = []
    begin = UTC
    for width, gap in blobs:
        begin += gap
        made.append(record(recorded.video("libx264", recorded.B_FRAMES, 25, width), recorded.audio(), begin=begin))
        begin += 1
    first = draw.draw(st.integers(0, 1500))
    length = draw.draw(st.integers(40, 9000))
    if not any(first < (int(b.table.end_ms[-1]) - UTC * 1000) for b in made):
        return
    try:
        one, data = cut(at(first, first + length), *made)
    except DvrError:
        return
    assert len(one) == len(data)
    wanted = {(sync, data) for blob in made for sync, data in samples_of(blob)}
    sets = [in_band_sets(blob.table.tracks[0]) for blob in made]
    for _, _, sample, sync in recorded.packets(data).get(0, []):
        assert any((sync, sample.removeprefix(one)) in wanted for one in [b"", *sets])


@given(
    st.lists(st.tuples(st.sampled_from(KINDS[:4]), st.integers(60_000, 900_000)), min_size=2, max_size=4),
    st.integers(1, 25),
)
@settings(max_examples=40, deadline=None)
def test_pictures_keep_their_distance_where_gaps_are_skipped(
    recordings: list[tuple[tuple[str, str], int]], per_fragment: int
) -> None:
    """Whatever part of a millisecond they begin at: a player that counts in frames has one for each."""
    begin, made = Fraction(UTC), []
    codec = recordings[0][0][0]
    for (_, parameters), gap_us in recordings:
        begin += Fraction(gap_us, 1_000_000)
        made.append(record(recorded.video(codec, parameters), recorded.audio(), begin=begin, per_fragment=per_fragment))
        begin += 2
    _, data = cut(at(0, 20_000), *made)
    found = recorded.packets(data)[0]
    steps = np.diff(sorted(pts for _, pts, *_ in found))
    assert steps.min() >= 3600
    assert steps.max() < 3600 + 90 or recorded.OPEN_GOP in [parameters for (_, parameters), _ in recordings]
    if len({parameters for (_, parameters), _ in recordings}) == 1:
        assert np.diff([dts for dts, *_ in found]).min() >= 3600


def samples_of(blob: Blob) -> list[tuple[bool, bytes]]:
    samples = blob.table.samples(blob.table.tracks[0].id)
    places = zip(samples.offsets().tolist(), samples.sizes.tolist(), samples.sync.tolist(), strict=True)
    return [(sync, blob.data[offset : offset + size]) for offset, size, sync in places]


def test_timescale_changes() -> None:
    video = recorded.video()
    other = Media(
        replace(video.track, timescale=12800), [replace(one, dts=one.dts * 12800 // 90000) for one in video.samples]
    )
    _, data = cut(
        at(0, 30_000), record(video, recorded.audio()), record(other, recorded.audio(rate=44100), begin=UTC + 9)
    )
    assert shown(data) == [(pytest.approx(number / 25), number % 50) for number in range(100)]
    with av.open(io.BytesIO(data)) as file:
        assert file.streams.video[0].time_base == Fraction(1, 90000)


def test_beginning_between_milliseconds() -> None:
    """A playlist's times are cut to milliseconds; a window from there begins with that picture, not a group before."""
    begin = UTC + Fraction(12345, 90000)
    video = recorded.video("libx264", recorded.B_FRAMES)
    blob = record(video, recorded.audio(), begin=begin)
    begin_ms = int(blob.table.begin_ms[1])
    made, data = cut(Range(begin_ms, begin_ms + 400), blob)
    assert shown(data)[0] == (0.0, 10)
    assert recorded.packets(data)[0][0][2] == video.samples[10].data
    assert made.begin_ms == begin_ms


def test_same_bytes_every_time() -> None:
    video, audio = recorded.video(), recorded.audio()
    blob = record(video, audio)
    again = Blob(blob.data, blob.index, FragmentTable(blob.index))
    assert cut(at(100, 900), blob) == cut(at(100, 900), again)


def test_metadata() -> None:
    blob = record(recorded.video())
    metadata = Metadata("Hof \u00fc", "seen", "2026-11-20T17:00:00Z")
    made = head(whole(blob), at(0, 900), metadata=metadata)
    with av.open(io.BytesIO(virtual(made, blob))) as file:
        assert file.metadata["title"] == "Hof \u00fc"
        assert (file.metadata["comment"], file.metadata["date"]) == ("seen", "2026-11-20T17:00:00Z")
        assert file.metadata["creation_time"] == "2026-11-20T17:00:00.000000Z"


def test_aspect_and_language() -> None:
    video, audio = recorded.video(), recorded.audio()
    video = Media(replace(video.track, sample_aspect_ratio=(4, 3)), video.samples)
    audio = Media(replace(audio.track, language="fra"), audio.samples)
    with av.open(io.BytesIO(cut(at(0, 900), record(video, audio))[1])) as file:
        assert file.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert file.streams.audio[0].language == "fra"


@kinds
def test_one_frame(encoder: str, parameters: str, tmp_path: Path) -> None:
    blob = record(recorded.video(encoder, parameters), recorded.audio())
    for fragment in range(min(len(blob.table), 5)):
        made = one_frame(blob.table, fragment, blob.table.tracks[0])
        data = virtual(made, blob)
        number = (int(blob.table.begin_ms[fragment]) - UTC * 1000) // 40
        assert shown(data) == [(0.0, number)]
        assert ffmpeg(data, tmp_path).replace("mmco: unref short failure", "").count("\n") <= 1
        assert made.begin_ms == blob.table.begin_ms[fragment]


def test_no_frame_to_show() -> None:
    blob = record(recorded.video(), per_fragment=5)
    with pytest.raises(DvrError):
        one_frame(blob.table, 1, blob.table.tracks[0])


def test_gap_that_no_sample_can_bridge() -> None:
    blobs = [record(recorded.video()), record(recorded.video(), begin=UTC + 20 * 3600)]
    with pytest.raises(DvrError) as error:
        cut(at(0, 100_000_000), *blobs, gaps="keep")
    assert error.value.code == "gap_too_long"
    assert cut(at(0, 100_000_000), *blobs)[0].duration_ms == 4000


def test_nothing_there() -> None:
    blob = record(recorded.video(), recorded.audio())
    for pieces, window, tracks in (
        (whole(blob), at(5000, 6000), None),
        (whole(blob), at(0, 1000), [9]),
        ([], at(0, 1000), None),
        ([Piece(blob.table, 2, 2)], at(0, 1000), None),
    ):
        with pytest.raises(DvrError):
            head(pieces, window, tracks=tracks)


@given(st.integers(-100, 2100), st.integers(1, 2100), st.integers(2, 30), st.sampled_from(KINDS[:3]))
@settings(max_examples=25, deadline=None)
def test_any_window(begin_ms: int, length_ms: int, per_fragment: int, kind: tuple[str, str]) -> None:
    blob = record(recorded.video(*kind), recorded.audio(), per_fragment=per_fragment)
    window = at(begin_ms, begin_ms + length_ms)
    if window.end_ms <= UTC * 1000 or begin_ms >= 2000:
        return
    made, data = cut(window, blob)
    found = [number for _, number in shown(data)]
    expected = [number for number in range(50) if max(begin_ms, 0) <= number * 40 < begin_ms + length_ms]
    assert found == (expected or [min(max(begin_ms, 0) // 40, 49)])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_index(data: st.DataObject) -> None:
    """Whatever an index says, there is a head or one of the two errors."""
    index = bytearray(record(recorded.video(), recorded.audio(), per_fragment=5).index)
    for _ in range(data.draw(st.integers(1, 6))):
        index[data.draw(st.integers(0, len(index) - 1))] = data.draw(st.integers(0, 255))
    table = FragmentTable()
    try:
        table.extend(index)
    except FormatError:
        pass
    try:
        head([Piece(table, 0, len(table))], at(0, 2000))
        for fragment in range(len(table)):
            one_frame(table, fragment, table.tracks[0])
    except (FormatError, DvrError):
        pass
