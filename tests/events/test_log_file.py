"""Files: lines, rotation, a disk that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from flussdvr.config.model import EventSinkSettings
from flussdvr.events.log_file import FileSink
from flussdvr.threads import InlineWorker, MemoryWorker
from tests.events.spools import now


def make(url: str, clock: Clock, worker: Any = None, **options: Any) -> FileSink:
    settings = EventSinkSettings("s", url, **options)
    made = lambda event: {**event.document(), "utc_ms": 0}
    return FileSink(settings, clock, worker or InlineWorker(), made)


def offer(sink: FileSink, *numbers: int) -> None:
    for n in numbers:
        event = {"event": "x", "utc_ms": 1_790_000_000_007, "n": n, "text": 'a "b"', "nothing": None}
        sink.offer(event, json.dumps(event).encode())


def test_json_lines(tmp_path: Path) -> None:
    clock = Clock()
    for url in (f"jsonlog://{tmp_path}/a/x.json", f"{tmp_path}/a/x.json"):
        offer(make(url, clock), 1, 2)
        clock.advance(1)
    lines = (tmp_path / "a" / "x.json").read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == [1, 2, 1, 2]


def test_text_lines(tmp_path: Path) -> None:
    clock = Clock()
    sink = make(f"log://{tmp_path}/x.log", clock)
    offer(sink, 1)
    now(sink.stop())
    assert (tmp_path / "x.log").read_text() == '2026-09-21T14:13:20.007Z x n=1 text="a \\"b\\""\n'


def test_rotation(tmp_path: Path) -> None:
    clock = Clock()
    sink = make(f"log://{tmp_path}/x.log", clock, max_size=150, max_depth=2)
    for n in range(0, 30, 3):
        offer(sink, n, n + 1, n + 2)
        clock.advance(1)
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(found) == {"x.log", "x.log.1", "x.log.2"}
    assert all(len(text) <= 150 for text in found.values())
    whole = found["x.log.2"] + found["x.log.1"] + found["x.log"]
    numbers = [int(line.split("n=")[1].split()[0]) for line in whole.splitlines()]
    assert numbers == list(range(numbers[0], 30))


def test_a_disk_that_fails_and_comes_back(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / "d").write_text("in the way")
    sink = make(f"log://{tmp_path}/d/x.log", clock, resend_limit=2, resend_timeout_s=1)
    offer(sink, 1)
    clock.advance(1)
    assert sink.error is not None
    offer(sink, 2, 3, 4)
    assert len(sink) == 2 and sink.dropped == 2
    (tmp_path / "d").unlink()
    clock.advance(1)
    text = (tmp_path / "d" / "x.log").read_text()
    assert sink.error is None and " n=1 " in text and " n=2 " in text and "events_dropped sink=s count=2" in text


def test_a_disk_that_hangs_holds_nobody(tmp_path: Path) -> None:
    clock, worker = Clock(), MemoryWorker()
    sink = make(f"log://{tmp_path}/x.log", clock, worker)
    offer(sink, *range(30_000))
    clock.advance(1)
    assert len(worker) == 1 and len(sink) == 20_000 and sink.dropped == 10_000
