from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred

from flussdvr.body.file import Directory
from flussdvr.errors import DvrError
from flussdvr.formats.mp4.fmp4 import write_init
from flussdvr.playback.inits import Inits, digest_of
from flussdvr.playback.selection import parse_selection
from flussdvr.playback.sources import Source
from flussdvr.threads import MemoryWorker
from tests.playback.recordings import Recording, T, media

R = TypeVar("R")
UNKNOWN = "0123456789abcdef"
V1, A1 = parse_selection("v1"), parse_selection("a1")


class Reader(MemoryWorker):
    """Counts what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.done: Counter[str] = Counter()

    def do(self, f: Callable[..., R], *args: Any) -> Deferred[R]:
        self.done[f.__name__] += 1
        return super().do(f, *args)

    def work(self) -> Counter[str]:
        """All that waits, and what that leads to; returns what was done since the last time."""
        while self.step():
            pass
        done, self.done = self.done, Counter()
        return done


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def inits() -> Inits:
    return Inits()


@pytest.fixture
def source(tmp_path: Path, reader: Reader) -> Source:
    """Eight blobs of two kinds, the newest with two tracks of sound."""
    recording = Recording(tmp_path)
    recording.place = Directory(str(tmp_path), reader)
    for number in range(8):
        recording.blob(T + number * 20_000, source=media(audios=1 + (number > 5)))
    return Source("ort", None, recording.archive)


def ask(inits: Inits, source: Source, digest: str, selection: Any = None) -> Deferred[bytes]:
    asked = Deferred.fromCoroutine(inits.find(source, digest, selection))
    asked.addErrback(lambda failure: failure.trap(DvrError) and b"")
    return asked


def answer(asked: Deferred[bytes]) -> bytes:
    assert asked.called
    found: list[bytes] = []
    asked.addCallback(found.append)
    return found[0]


def test_a_digest_that_nothing_has_costs_one_look_at_each_blob_ever(
    inits: Inits, source: Source, reader: Reader
) -> None:
    asked = ask(inits, source, UNKNOWN)
    assert reader.work() == {"read_init": 8}
    assert answer(asked) == b""
    for digest in (UNKNOWN, UNKNOWN[::-1]):
        assert answer(ask(inits, source, digest)) == b""
        assert reader.work() == {}


def test_choices_of_tracks_are_worked_out_once_for_each_kind(inits: Inits, source: Source, reader: Reader) -> None:
    # The last two are silence in the place of sounds that are not there.
    selections = (V1, A1, parse_selection("a9"), parse_selection("v1a7"))
    for selection in selections:
        asked = ask(inits, source, UNKNOWN, selection)
        assert reader.work()["write_init"] == 2
        assert answer(asked) == b""
    for selection in selections:
        assert answer(ask(inits, source, UNKNOWN[::-1], selection)) == b""
        assert reader.work() == {}


def test_those_who_ask_at_once_share_the_looking(inits: Inits, source: Source, reader: Reader) -> None:
    asked = [ask(inits, source, f"{number:016x}") for number in range(20)]
    assert reader.work() == {"read_init": 8}
    assert [answer(one) for one in asked] == [b""] * 20


def test_what_is_found_early_is_answered_early(inits: Inits, source: Source, reader: Reader) -> None:
    new, old = (write_init(media(audios=audios).tracks) for audios in (2, 1))
    asked = ask(inits, source, digest_of(new)), ask(inits, source, digest_of(old))
    reader.step()
    assert answer(asked[0]) == new and not asked[1].called
    reader.step()
    reader.step()
    assert answer(asked[1]) == old
    video = write_init(media().tracks[:1])
    chosen = ask(inits, source, digest_of(video), V1)
    reader.work()
    assert answer(chosen) == video
    assert answer(ask(inits, source, digest_of(video), V1)) == video, "known now"
    assert reader.work() == {}


def test_only_what_is_new_is_looked_at(tmp_path: Path, inits: Inits, reader: Reader) -> None:
    recording = Recording(tmp_path)
    recording.place = Directory(str(tmp_path), reader)
    source = Source("ort", None, recording.archive)
    for number in range(3):
        recording.blob(T + number * 20_000)
        asked = ask(inits, source, UNKNOWN)
        assert reader.work() == {"read_init": 1}
        assert answer(asked) == b""


def test_what_cannot_be_read_is_no_reason_to_fail(tmp_path: Path, inits: Inits, reader: Reader) -> None:
    recording = Recording(tmp_path)
    recording.place = Directory(str(tmp_path), reader)
    blobs = [recording.blob(T + number * 20_000) for number in range(3)]
    Path(blobs[2].path).write_bytes(b"nothing")
    Path(blobs[1].path).unlink()
    init = write_init(media().tracks)
    asked = ask(inits, Source("ort", None, recording.archive), digest_of(init))
    reader.work()
    assert answer(asked) == init
