# -*- test-case-name: tests.archive.test_misdated -*-
"""
Recordings whose date is known to be wrong: kept, and shown apart from the others until they are dated anew.

    <root>/.flussdvr-misdated    {"misdated": [{"stream": "cam", "begin_ms": ..., "shift_ms": -86400000}, ...]}

They are set aside when the server's clock is found to have been wrong (`UtcClock`), and when they lie in the future or
before there was such a server. `shift_ms` is what to add to their dates, where that is known; `flussdvr redate` does.
What was set aside because of a time that was wrong itself comes back when that shows (`provisional`).

The file lies beside the recordings, so a catalog that is lost, or a disk that is moved, changes nothing of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flussdvr.archive.disk.blob import Blob
from flussdvr.archive.disk.marker import check_marker
from flussdvr.archive.disk.recovery import replace_index
from flussdvr.body.files import FILES, Files
from flussdvr.clock.utc import EARLIEST_MS

NAME = ".flussdvr-misdated"
FUTURE_MS = 20_000
"""So far may recordings end in the future: a source that sends too fast, a clock that was put back a little."""
LARGEST = 64 << 20
MOST = 1_000_000

Key = tuple[str, int]
"""Stream and begin_ms of a blob on a root."""


@dataclass(frozen=True, slots=True)
class Aside:
    """
    `shift_ms`: what to add to the date, `None` where nobody knows. `provisional`: the clock that says so is doubtful.
    """

    shift_ms: int | None = None
    provisional: bool = False


class Misdated:
    """What is known to be misdated, on all roots. `now_ms` is the server's clock. Reactor thread."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._known: dict[str, dict[Key, Aside]] = {}

    def of(self, blob: Blob) -> Aside | None:
        """Whether a blob is to be set aside."""
        known = self._known.get(blob.root, {}).get((blob.stream, blob.begin_ms))
        if known is not None:
            return known
        now_ms = self._now_ms()
        if max(blob.begin_ms, blob.end_ms) > now_ms + FUTURE_MS or blob.begin_ms < EARLIEST_MS <= now_ms:
            return Aside()
        return None

    def set(self, blob: Blob, aside: Aside) -> None:
        self._known.setdefault(blob.root, {})[blob.stream, blob.begin_ms] = aside

    def forget(self, blob: Blob) -> None:
        self._known.get(blob.root, {}).pop((blob.stream, blob.begin_ms), None)

    def load(self, root: str, entries: Iterable[tuple[Key, Aside]]) -> None:
        """What the file of a root holds."""
        self._known.setdefault(root, {}).update(entries)

    def entries(self, root: str) -> dict[Key, Aside]:
        """For the file of a root."""
        return dict(self._known.get(root, {}))


def read_misdated(root: str) -> dict[Key, Aside]:
    """What the file of a root says; what makes no sense in it is passed over. OSError."""
    try:
        with open(f"{root}/{NAME}", "rb") as file:
            entries = json.loads(file.read(LARGEST))["misdated"]
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    found = {}
    for entry in entries[:MOST] if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        stream, begin_ms, shift_ms = entry.get("stream"), entry.get("begin_ms"), entry.get("shift_ms")
        if not isinstance(stream, str) or not isinstance(begin_ms, int) or not _is_time(begin_ms):
            continue
        if shift_ms is None or _is_time(shift_ms):
            found[stream, begin_ms] = Aside(shift_ms, entry.get("provisional") is True)
    return found


def write_misdated(root: str, uuid: str, entries: dict[Key, Aside], files: Files = FILES) -> None:
    """Durably and atomically. DvrError UNAVAILABLE where the root is another disk; OSError."""
    check_marker(root, uuid)
    write_entries(root, entries, files)


def write_entries(root: str, entries: dict[Key, Aside], files: Files = FILES) -> None:
    """`write_misdated` on a root that is known to be the right one."""
    if not entries and not os.path.exists(f"{root}/{NAME}"):
        return
    rows: list[dict[str, Any]] = [
        {"stream": stream, "begin_ms": begin_ms, "shift_ms": aside.shift_ms, "provisional": aside.provisional}
        for (stream, begin_ms), aside in sorted(entries.items(), key=lambda entry: entry[0])
    ]
    replace_index(f"{root}/{NAME}", json.dumps({"misdated": rows}, separators=(",", ":")).encode(), files)


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53
