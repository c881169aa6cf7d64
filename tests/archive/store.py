"""An archive that is stepped by hand: no thread, no reactor, faults where the test wants them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from flussdvr.archive.archive import Archive
from flussdvr.archive.disk.root import RootWorkers
from flussdvr.archive.recorder import Recorder
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.threads import InlineWorker, MemoryWorker
from flussdvr.timeline import HOUR_MS
from tests.archive.camera import Camera, Taken
from tests.events.documents import documents

T = TypeVar("T")
SEGMENT_MS = 2000


@dataclass(frozen=True)
class Dvr:
    root: str
    name: str | None = None
    expiration_s: int | None = None
    storage_limit: int | None = None
    disk_usage_limit: int | None = None
    sync_interval_s: int = 5


def result(work: Awaitable[T] | Deferred[T]) -> T:
    """What has been awaited, which must be there by now."""

    async def wait() -> T:
        return await work

    results: list[Any] = []
    Deferred.fromCoroutine(wait()).addBoth(results.append)
    assert results, "still waiting"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


class Killed(BaseException):
    """The process is gone: nothing it does from here on happens."""


class Fate:
    """
    The store's system calls, and what becomes of them.

    The process is killed at the call number `kill_at`, in the middle of it where it is a write. Before that, a call
    named in `faults` raises what `faults` has for it.
    """

    def __init__(self, kill_at: int | None = None) -> None:
        self.kill_at = kill_at
        self.calls: list[str] = []
        self.faults: dict[str, BaseException] = {}
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)

        def call(*args: Any) -> Any:
            self.step(name, lambda: real(args[0], args[1][: len(args[1]) // 2]) if name == "write" else None)
            return real(*args)

        return call

    def step(self, name: str, halfway: Callable[[], Any] = lambda: None) -> None:
        if self.dead:
            raise Killed
        if self.kill_at == len(self.calls):
            self.dead = True
            halfway()
            raise Killed
        self.calls.append(name)
        if name in self.faults:
            raise self.faults[name]


class FatedCatalog(SqliteCatalog):
    """One that dies with the process, before or after it has committed."""

    fate: Fate

    def run(self, f: Any, durable: bool = False) -> Any:
        self.fate.step("sql")
        found = super().run(f, durable)
        self.fate.step("sql done")
        return found


class Store:
    """An archive under `folder`: all at once, or with `manual` roots whose workers a test steps."""

    def __init__(self, folder: Path, manual: tuple[str, ...] = (), now_ms: int | None = None, fate: Any = None) -> None:
        self.folder = folder
        self.clock = Clock()
        self.events: list[dict[str, Any]] = []
        self.now_ms = now_ms or Camera().now_ms + 366 * 24 * HOUR_MS  # behind all that tests record
        self.manual = manual
        self.workers: dict[str, RootWorkers] = {}
        self.fate = fate or Fate()
        self.catalog = FatedCatalog(str(folder / "state" / "catalog.sqlite"), InlineWorker())
        self.catalog.fate = self.fate
        self.archive = Archive(
            str(folder / "state"),
            self.clock,
            (),
            documents(self.events),
            lambda: self.now_ms,
            self.catalog,
            self._workers,
            self.fate,
        )

    def _workers(self, path: str) -> RootWorkers:
        make: Callable[[], Any] = MemoryWorker if Path(path).name in self.manual else InlineWorker
        self.workers[path] = RootWorkers(make(), make(), make())
        return self.workers[path]

    def open(self) -> Store:
        result(self.archive.open())
        return self

    def root(self, name: str = "disk") -> str:
        return str(self.folder / name)

    def recorder(self, stream: str = "cam", root: str = "disk", **settings: Any) -> Recorder:
        return self.archive.recorder(stream, Dvr(self.root(root), **settings))

    def record(self, recorder: Recorder, camera: Camera, count: int) -> list[Taken]:
        """Film and write `count` fragments, one after the other."""
        taken = []
        for fragment in camera.film(count):
            write(recorder, camera, fragment)
            taken.append(fragment)
        return taken

    def step(self, root: str = "disk") -> bool:
        """One piece of work for each worker of a manual root; whether there was any."""
        return any([worker.step() for worker in self.workers[self.root(root)]])

    def steps(self, root: str = "disk") -> None:
        while self.step(root):
            pass

    def kinds(self) -> list[str]:
        return [event["event"] for event in self.events]

    def stop(self) -> None:
        result(self.archive.close())


def write(recorder: Recorder, camera: Camera, fragment: Taken, sequence: int = 7) -> None:
    recorder.write(fragment, camera.init, SEGMENT_MS, sequence)


def files(folder: Path, suffix: str = ".mp4") -> list[Path]:
    found = [path for path in folder.rglob(f"*{suffix}") if path.name.split(".")[0].isdigit()]
    return sorted(found, key=lambda path: int(path.name.split(".")[0]))
