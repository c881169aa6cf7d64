# -*- test-case-name: tests.commands.test_running_server -*-
"""
`flussdvr redate` on a root that a running server uses: the server does it, and this waits for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from flussdvr.archive.disk.blob import blob_stem
from flussdvr.archive.redate import Redated, utc_text
from flussdvr.commands.running_server import RunningServer, stream_path
from flussdvr.errors import DvrError, Kind

POLL_S = 2.0
"""Between two looks whether it is done."""
Item = dict[str, Any]


def list_remotely(server: RunningServer, root: str) -> str:
    """What a server has set aside on a root, a line each. DvrError."""
    return "\n".join(_line(one) for one in _of_root(server, root)) or "nothing is misdated"


def redate_remotely(
    server: RunningServer,
    root: str,
    stream: str | None,
    by_ms: int | None,
    begin_ms: int | None,
    at_ms: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Redated:
    """As `redate`, by the server, one after the other. DvrError where it can't be asked."""
    report = Redated()
    for one in _of_root(server, root):
        if stream not in (None, one["name"]) or begin_ms not in (None, one["opened_at"]):
            continue
        try:
            report.done.append(f"{_path(one)} -> {_redate(server, one, by_ms, at_ms, sleep)}")
        except DvrError as error:
            report.problems.append(f"{_path(one)}: {error.title}")
    if begin_ms is not None and not (report.done or report.problems):
        report.problems.append("a running server dates anew only what it has set aside: see --list")
    return report


def _redate(
    server: RunningServer, one: Item, by_ms: int | None, at_ms: int | None, sleep: Callable[[float], None]
) -> str:
    """Its new path. DvrError."""
    wanted = {"id": one["id"]}
    if at_ms is not None:
        wanted["at"] = at_ms / 1000
    elif by_ms is not None:
        wanted["shift"] = by_ms
    where = stream_path(one["name"]) + "/dvr/misdated"
    answer = server.ask("POST", f"{where}/redate", wanted)
    while one["id"] in answer["pending"]:
        sleep(POLL_S)
        now = next((each for each in server.listed(where, "misdated") if each["id"] == one["id"]), None)
        if now is None:
            shift_ms = at_ms - one["opened_at"] if at_ms is not None else one["shift"] if by_ms is None else by_ms
            return f"{blob_stem(one['root'], one['name'], one['opened_at'] + shift_ms)}.mp4"
        if now["status"] != "working":
            error = now["error"] or {"code": "unknown", "title": "it is misdated as before"}
            raise DvrError(Kind.CONFLICT, error["code"], error["title"])
    (done,) = answer["redated"]
    return f"{blob_stem(one['root'], one['name'], done['opened_at'])}.mp4"


def _of_root(server: RunningServer, root: str) -> list[Item]:
    """`root` as the server knows it, by whatever path."""
    real = os.path.realpath(root)
    return [one for one in server.listed("/dvr_misdated", "misdated") if os.path.realpath(one["root"]) == real]


def _path(one: Item) -> str:
    return f"{blob_stem(one['root'], one['name'], one['opened_at'])}.mp4"


def _line(one: Item) -> str:
    shift = "unknown" if one["shift"] is None else f"{one['shift'] / 1000:+.3f} s"
    written = "unknown" if one["written_at"] is None else utc_text(one["written_at"] // 1000)
    duration = (one["closed_at"] - one["opened_at"]) / 1000
    dated = f"dated {utc_text(one['opened_at'] // 1000)}, {duration:.3f} s long, written until {written}"
    state = "" if one["status"] == "kept" else f", {one['status']}"
    return f"{_path(one)}  {dated}, shift {shift}{state}"
