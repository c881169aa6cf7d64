"""A deletion over HTTP: what was deleted is not shown from that moment on, and what can't be deleted is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab.curl import Answer, Api, curl
from tests.integration.lab.server import Server
from tests.integration.lab.wait import until

FAKE = "fake://?size=160x120&fps=10&gop=10"
SECONDS = "segment_duration 1; segment_count 12"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("deletion")
    settings = f"dvr away {{ root {folder}/away; }}"
    streams = f"stream cam {{ input {FAKE}; dvr @main; {SECONDS}; }}\nstream far {{ input {FAKE}; dvr @away; }}\n"
    server = Server(folder, streams, settings=settings).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def api(server: Server) -> Api:
    return Api(server.http)


def delete(api: Api, name: str, begin_ms: int, end_ms: int, *headers: str) -> Answer:
    body = json.dumps({"from": begin_ms / 1000, "duration": (end_ms - begin_ms) / 1000})
    more = [part for header in headers for part in ("-H", header)]
    url = f"{api.url}/streams/{name}/dvr/ranges"
    return curl("-X", "DELETE", url, "-H", "Content-Type: application/json", "--data", body, *more, user=api.user)


def listed(text: str) -> dict[str, tuple[int, bool]]:
    """Of a live list: the URL of each segment, its media sequence number, and whether it is missing."""
    number, missing = 0, False
    found: dict[str, tuple[int, bool]] = {}
    for line in text.splitlines():
        if line.startswith("#EXT-X-MEDIA-SEQUENCE:"):
            number = int(line.partition(":")[2])
        elif line == "#EXT-X-GAP":
            missing = True
        elif not line.startswith("#"):
            found[line] = number, missing
            number, missing = number + 1, False
    return found


def times(url: str) -> tuple[int, int]:
    """When a segment begins and ends, by its name, in ms of UTC."""
    moment, duration = url.rpartition(".")[0].split("-")
    begin = datetime.strptime(moment, "%Y/%m/%d/%H/%M/%S.%f").replace(tzinfo=UTC)
    begin_ms = round(begin.timestamp() * 1000)
    return begin_ms, begin_ms + int(duration)


def test_what_is_in_the_live_window_is_not_shown_any_more(server: Server, api: Api) -> None:
    before = until(
        "eight segments", lambda: (found := listed(server.text("/cam/mono.m3u8"))) and len(found) > 7 and found
    )
    hidden = list(before)[3:6]
    assert all(server.get(f"/cam/{url}").status == 200 for url in hidden)
    span = times(hidden[0])[0], times(hidden[-1])[1]
    answer = delete(api, "cam", *span, "Prefer: return=representation")
    after = listed(server.text("/cam/mono.m3u8"))
    assert answer.status == 200 and answer.json["pending"] == []
    (gone,) = answer.json["deleted"]
    assert (gone["opened_at"], gone["closed_at"]) == span
    for text in (after, listed(server.text("/cam/mono.ts.m3u8"))):
        shown = [url for url, (_, missing) in text.items() if not missing]
        assert shown and not any(times(url)[0] < span[1] and span[0] < times(url)[1] for url in shown)
    assert [after[url] for url in hidden if url in after] == [(before[url][0], True) for url in hidden if url in after]
    assert all(after[url][0] == before[url][0] for url in after.keys() & before.keys())
    assert all(server.get(f"/cam/{url}").status == 404 for url in hidden)
    assert all(server.get(f"/cam/{url}".replace(".m4s", ".ts")).status == 404 for url in hidden)
    until(
        "recording goes on",
        lambda: max(listed(server.text("/cam/mono.m3u8")).values())[0] > max(before.values())[0] + 4,
    )


def test_what_is_on_a_disk_that_is_away_remains_to_be_done(server: Server, api: Api) -> None:
    def ranges() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get("/streams/far/dvr/ranges")["ranges"]
        return found

    server.wait_recorded("far", 6)
    assert api("PUT", "/streams/far", {"disabled": True}).status == 200
    until("it is closed", lambda: "far is stopped" in server.log.read_text())
    (recorded,) = ranges()
    span = recorded["opened_at"], recorded["closed_at"]
    root, aside = Path(server.folder / "away"), Path(server.folder / "aside")
    root.rename(aside)
    answer = delete(api, "far", *span)
    assert answer.status == 202 and answer.json["deleted"] == []
    (pending,) = answer.json["pending"]
    assert pending["root"] == str(root) and pending["code"] and pending["title"]
    assert ranges() == [recorded], "it is still there"
    until("an alarm", lambda: "deletion_pending" in [one["code"] for one in api.get("/alarms")["alarms"]])
    aside.rename(root)
    until("it is done", lambda: ranges() == [])
    assert not [path for path in root.rglob("*") if path.suffix in (".mp4", ".idx")]
    until("no alarm", lambda: "deletion_pending" not in [one["code"] for one in api.get("/alarms")["alarms"]])
    assert delete(api, "far", *span).status == 204
