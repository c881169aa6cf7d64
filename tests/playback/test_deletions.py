"""What is deleted while a download of it is under way is not sent, though it was prepared before."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.task import Clock

from flussdvr.errors import DvrError, Kind
from flussdvr.playback.cursor import Cursor
from flussdvr.playback.deletions import MOST, Deletions
from flussdvr.playback.fragments import SegmentIndex
from flussdvr.playback.playback import Playback, make_playback
from flussdvr.playback.sources import Source
from flussdvr.playback.ts.exports import MEASURED_MS
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from tests.playback.recordings import Recording, T, decoded
from tests.playback.test_cursor import result

HIDDEN = (Range(T + 4000, T + 6000),)


@pytest.fixture
def playback() -> Playback:
    worker = InlineWorker()
    return make_playback(worker, Clock(), lambda: T + 60_000)


@pytest.fixture(params=["archive", "live"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    recording = Recording(tmp_path)
    if request.param == "archive":
        recording.blob()
        return Source("ort", None, recording.archive)
    recording.play_live()
    return Source("ort", recording, None)


def test_a_measured_download_breaks_off(playback: Playback, source: Source) -> None:
    for chunk in collected(playback, source, 8000)[0]:
        assert chunk, "all of it is in the cache of packets now"
    export = result(playback.ts.export(source, T, 8000, None))
    assert export.length is not None
    chunks = export.chunks(0, export.length)
    data = result(anext(chunks))
    playback.deletions.delete("another", HIDDEN, False)
    data += result(anext(chunks))
    playback.deletions.delete("ort", HIDDEN, False)
    with pytest.raises(DvrError) as raised:
        result(anext(chunks))
    assert raised.value.kind is Kind.NOT_FOUND and raised.value.code == "data_gone"
    assert len(decoded(data)) == 40, "the four seconds in front of it"
    with pytest.raises(DvrError):
        result(anext(export.chunks(export.length // 2, export.length)))


def test_what_lies_behind_a_deletion_is_still_sent(playback: Playback, source: Source) -> None:
    export = result(playback.ts.export(source, T, 8000, None))
    assert export.length is not None
    playback.deletions.delete("ort", (Range(T, T + 2000),), False)
    rest = export.chunks(export.length * 3 // 4, export.length)
    assert result(anext(rest))


@pytest.mark.parametrize("touching", [False, True])
def test_only_whole_fragments_unless_it_covers(playback: Playback, source: Source, touching: bool) -> None:
    export = result(playback.ts.export(source, T, 8000, None))
    assert export.length is not None
    playback.deletions.delete("ort", (Range(T + 100, T + 900),), touching)
    chunks = export.chunks(0, export.length)
    if touching:
        with pytest.raises(DvrError):
            result(anext(chunks))
    else:
        assert result(anext(chunks))


def test_a_download_of_unknown_length_leaves_it_out(playback: Playback, source: Source) -> None:
    whole, _ = collected(playback, source, MEASURED_MS + 1)
    export = result(playback.ts.export(source, T, MEASURED_MS + 1, None))
    chunks = export.chunks(0, None)
    data = result(anext(chunks))
    playback.deletions.delete("ort", HIDDEN, False)
    while (chunk := result(anext(chunks, None))) is not None:
        data += chunk
    assert len(decoded(data)) == len(decoded(b"".join(whole))) - 20


def test_the_cursor_sees_what_was_cut_out_of_its_blob(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    blob = recording.blob()
    index = Path(blob.index_path).read_bytes()
    source = Source("ort", None, recording.archive)
    cursor = Cursor(SegmentIndex(), source, T)
    first = result(cursor.next())
    assert first is not None and first.begin_ms == T
    table = first.table
    stop = len(index) - sum(int(table.head_size[row]) for row in range(4, len(table)))
    recording.archive.trimmed(blob, (Range(T + 4000, T + 10_000),), 1, stop)
    Path(blob.index_path).write_bytes(index[:stop])
    following = result(cursor.next())
    assert following is not None and following.begin_ms == T + 2000
    assert result(cursor.next()) is None


def test_watches_end_by_themselves_and_are_bounded(source: Source, playback: Playback) -> None:
    deletions = Deletions()
    watch = deletions.watch("ort")
    assert len(deletions) == 1
    for number in range(MOST + 10):
        deletions.delete("ort", (Range(number, number + 1),), False)
    assert len(watch._deleted) == MOST + 1
    span = result(playback.ts._begin(source, T))
    assert span is not None and watch.takes(span[0]), "more than it can tell apart: everything counts as deleted"
    del watch
    assert len(deletions) == 0


def collected(playback: Playback, source: Source, duration_ms: int) -> tuple[list[bytes], int | None]:
    export = result(playback.ts.export(source, T, duration_ms, None))
    chunks, found = export.chunks(0, export.length), []
    while (chunk := result(anext(chunks, None))) is not None:
        found.append(chunk)
    return found, export.length
