"""Recordings with a wrong date are set aside, kept over restarts, and come back where the clock was right after all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.archive.misdated import NAME, Aside, read_misdated, write_entries
from flussdvr.archive.streams.stream_archive import LocalStreamArchive
from flussdvr.clock.utc import Step
from flussdvr.timeline import HOUR_MS
from tests.archive.camera import UTC_MS, Camera
from tests.archive.store import Store, files, result

DAY = 24 * HOUR_MS


def record(store: Store, begin_ms: int, seconds: int = 5) -> None:
    recorder, camera = store.archive.recorders.get("cam") or store.recorder("cam"), Camera()
    camera.now_ms = begin_ms
    store.record(recorder, camera, seconds)
    recorder.gap("clock")


def archive_of(store: Store) -> LocalStreamArchive:
    archive = store.archive.stream("cam")
    assert archive is not None
    return archive


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, now_ms=UTC_MS + 10_000).open()


def back(now_ms: int, shift_ms: int, since_ms: int | None) -> Step:
    return Step(now_ms - shift_ms, now_ms, since_ms)


def test_what_was_recorded_in_a_wrong_time_is_set_aside_and_nothing_is_lost(store: Store, event_schema: Any) -> None:
    record(store, UTC_MS)
    record(store, UTC_MS + DAY)
    store.archive.clock_stepped(back(store.now_ms, -DAY, UTC_MS + DAY), proven=True)
    archive = archive_of(store)
    assert archive.end_ms <= store.now_ms and len(archive) == 1
    assert [(blob.begin_ms, aside) for blob, aside in archive.misdated.items()] == [(UTC_MS + DAY, Aside(-DAY))]
    assert len(files(store.folder)) == 2
    record(store, UTC_MS + 20_000)
    assert archive.end_ms > UTC_MS + 20_000, "recording goes on at the true time"
    (event,) = [event for event in store.events if event["event"] == "dvr_misdated"]
    event_schema.check_own(store.events)
    assert event["shift_ms"] == -DAY and event["begin_ms"] == UTC_MS + DAY


def test_it_stays_aside_also_when_its_date_has_come(store: Store, tmp_path: Path) -> None:
    record(store, UTC_MS)
    record(store, UTC_MS + DAY)
    store.archive.clock_stepped(back(store.now_ms, -DAY, UTC_MS + DAY), proven=True)
    result(store.archive.close())
    later = Store(tmp_path, now_ms=UTC_MS + 3 * DAY).open()
    assert len(archive_of(later)) == 1 and len(archive_of(later).misdated) == 1


def test_an_end_in_the_future_is_found_at_the_start(store: Store, tmp_path: Path) -> None:
    record(store, UTC_MS)
    record(store, UTC_MS + DAY)
    result(store.archive.close())
    again = Store(tmp_path, now_ms=UTC_MS + 10_000).open()
    archive = archive_of(again)
    assert len(archive) == 1 and list(archive.misdated.values()) == [Aside()]


def test_a_recording_of_1970_is_set_aside_when_the_time_is_known(tmp_path: Path) -> None:
    store = Store(tmp_path, now_ms=50_000).open()
    record(store, 30_000)
    store.now_ms = UTC_MS
    store.archive.clock_stepped(Step(50_000, UTC_MS, 29_000), proven=True)
    archive = archive_of(store)
    assert not len(archive) and list(archive.misdated.values()) == [Aside(UTC_MS - 50_000)]
    assert archive.size > 0


def test_a_clock_that_was_put_back_by_mistake_costs_nothing(store: Store) -> None:
    for hour in range(3):
        record(store, UTC_MS - (3 - hour) * HOUR_MS)
    wrong_ms = store.now_ms - DAY
    store.archive.clock_stepped(Step(store.now_ms, wrong_ms, None), proven=False)
    archive = archive_of(store)
    assert not len(archive) and len(archive.misdated) == 3
    record(store, wrong_ms)
    assert len(archive) == 1
    store.archive.clock_stepped(Step(wrong_ms + 10_000, store.now_ms + 10_000, wrong_ms), proven=True)
    assert len(archive) == 3 and [aside.shift_ms for aside in archive.misdated.values()] == [DAY]


def test_a_small_step_is_nothing(store: Store) -> None:
    record(store, UTC_MS)
    store.archive.clock_stepped(back(store.now_ms, -5000, None), proven=True)
    assert len(archive_of(store)) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
ENTRY = st.dictionaries(st.sampled_from(["stream", "begin_ms", "shift_ms", "provisional"]), JSON)


@given(JSON | st.fixed_dictionaries({"misdated": JSON | st.lists(ENTRY | JSON, max_size=4)}) | st.binary(max_size=20))
def test_any_nonsense_in_the_file(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / NAME).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert isinstance(read_misdated(str(root)), dict)


def test_the_file_holds_what_was_written(tmp_path: Path) -> None:
    entries = {("cam", 5): Aside(-DAY), ("a/b", 7): Aside(None, True)}
    write_entries(str(tmp_path), entries)
    assert read_misdated(str(tmp_path)) == entries
