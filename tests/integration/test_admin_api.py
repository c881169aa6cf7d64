"""The API as an administrator uses it: with curl, in the words of the vendor's page, against a real server."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import av
import pytest

from tests.integration.lab.curl import Answer, Api, curl
from tests.integration.lab.server import Server
from tests.integration.lab.source import Source
from tests.integration.lab.wait import until

FAKE = "fake://?size=160x120&fps=10"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("api"), f"stream cam {{ input {FAKE}; dvr @main; title Camera; }}").start()
    server.wait_recorded("cam", 12)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def api(server: Server) -> Api:
    return Api(server.http)


def test_the_vendors_page(server: Server, api: Api) -> None:
    assert api("PUT", "/streams/ort", {"inputs": [{"url": FAKE}], "dvr": {"reference": "main"}}).status == 200
    begin = server.wait_recorded("ort", 4)[0][0] + 1
    transcript = (Path(__file__).parent / "transcripts/manage_dvr.txt").read_text()
    calls = re.findall(r"^\$ (.*)\n(.*)$", transcript, re.MULTILINE)
    assert len(calls) == transcript.count("curl")
    for command, expected in calls:
        text = command.replace("login:password", "admin:secret").replace("FLUSSONIC-IP", f"127.0.0.1:{server.http}")
        text = text.replace("/storage", str(server.root)).replace("BEGIN", str(begin))
        answer = curl(*shlex.split(text)[1:], user=None)
        status, _, found = expected.partition(" ")
        assert (answer.status, found.encode() in answer.body) == (int(status), True), (command, answer)
    with av.open(str(server.root / "recording2.mp4")) as file:
        assert file.metadata["title"] == "ort" and "duration=2000" in file.metadata["comment"]
    api("DELETE", "/streams/ort")


def test_a_recording_from_its_beginning_to_its_end(server: Server, api: Api) -> None:
    """Create, publish, lock, let expire, unlock: ranges, playback and the disk agree at every step."""
    root = server.folder / "vendor"
    dvr = {"root": str(root), "expiration": 3600}
    assert (
        api("PUT", "/streams/site/gate", {"inputs": [{"url": "publish://"}], "dvr": dvr}).json["dvr"]["expiration"]
        == 3600
    )
    camera = Source(f"[f=mpegts:method=PUT]http://127.0.0.1:{server.http}/site/gate/mpegts", seconds=30, gop=25)
    until("it happens", lambda: ranges(api, "site/gate"))
    first = ranges(api, "site/gate")[0]["opened_at"]
    until("it happens", lambda: ranges(api, "site/gate")[-1]["closed_at"] - first > 16_000)
    lock = {"from": (first + 4000) / 1000, "duration": 3}
    assert api("POST", "/streams/site%2Fgate/dvr/locks", lock).status == 204
    camera.stop()
    full = disk(root)
    assert api("PUT", "/streams/site/gate", {"dvr": {"expiration": 1}}).status == 200
    kept = until(
        "it happens", lambda: (left := ranges(api, "site/gate")) and left[-1]["closed_at"] < first + 14_000 and left
    )
    assert len(kept) == 1 and kept[0]["opened_at"] <= first + 4000 and kept[0]["closed_at"] >= first + 7000
    assert disk(root) < full * 0.9
    answer = server.get(f"/site/gate/archive-{first / 1000 + 4:.3f}-3.mp4")
    data = answer.read()
    assert answer.status == 200
    (server.folder / "locked.mp4").write_bytes(data)
    with av.open(str(server.folder / "locked.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) >= 74
    assert server.json("/site/gate/recording_status.json?request=ranges,locks")[0]["locks"][0]["duration"] in (3, 4)
    info = api.get("/streams/site/gate")["stats"]["dvr_info"]
    assert abs(disk(root) - info["disk_size"]) < 40_000, "what is reported is what is on the disk"
    assert api("DELETE", "/streams/site/gate/dvr/locks", lock).status == 204
    until("it happens", lambda: not ranges(api, "site/gate"))
    assert disk(root) < 20_000
    assert api("DELETE", "/streams/site/gate").status == 204
    assert api("GET", "/streams/site/gate").status == 404


def ranges(api: Api, name: str) -> list[dict[str, int]]:
    answer = api("GET", f"/streams/{name}/dvr/ranges")
    return answer.json["ranges"] if answer.status == 200 else []  # type: ignore[no-any-return]


def disk(folder: Path) -> int:
    """As `du` counts, of the media."""
    return sum(os.stat(path).st_blocks * 512 for path in folder.rglob("*.*") if path.is_file())


def test_what_is_asked_for_wrongly(server: Server, api: Api) -> None:
    def refused(answer: Answer, status: int, code: str, place: str | None = None) -> None:
        assert answer.status == status, answer
        error = answer.json["errors"][0]
        assert answer.json["error"] == error["code"] == code and error["status"] == str(status) and error["title"]
        assert place is None or place in error["source"].values()

    refused(api("PUT", "/streams/x", {"dvr": {"rot": 1}}), 400, "unknown_field", "/dvr/rot")
    refused(api("PUT", "/streams/x", {"tilte": "x"}), 400, "unknown_field", "/tilte")
    refused(api("PUT", "/streams/x", {"inputs": [{"url": "udp://nohost:1"}]}), 400, "invalid_value", "/inputs/0/url")
    refused(api("PUT", "/streams/x", {"inputs": [{"url": "fake://?size=0x0"}]}), 400, "invalid_value", "/inputs/0/url")
    refused(api("PUT", "/streams/x.mp4", {}), 400, "bad_stream_name", "name")
    refused(api("PUT", "/streams/cam/2026", {}), 409, "bad_stream_name")
    refused(api("PUT", "/streams/x", []), 400, "invalid_value")
    refused(curl("-X", "PUT", f"{api.url}/streams/x", "--data", "{"), 400, "bad_json")
    refused(api("GET", "/streams/x"), 404, "stream_not_found", "name")
    refused(api("DELETE", "/streams/x"), 404, "stream_not_found", "name")
    refused(api("DELETE", "/streams/cam"), 409, "configured_in_file")
    for wrong in (
        {"from": 1},
        {"from": "x", "duration": 1},
        {"from": 1, "duration": 0},
        {"from": -1, "duration": 5},
        {},
    ):
        assert api("DELETE", "/streams/cam/dvr/ranges", wrong).status == 400
        assert api("POST", "/streams/cam/dvr/locks", wrong).status == 400
    assert api("DELETE", "/streams/cam/dvr/ranges").status == 400
    refused(api("GET", "/streams/x/dvr/ranges"), 404, "stream_not_found")
    refused(api("GET", "/nothing"), 404, "not_found")
    refused(api("PATCH", "/streams/cam"), 405, "unknown_operation")
    for user, status in (("viewer:look", 403), ("viewer:secret", 401), (None, 401)):
        assert Api(server.http, user=user)("PUT", "/streams/x", {}).status == status
    viewer = Api(server.http, user="viewer:look")
    api("PUT", "/streams/pw", {"password": "hidden", "inputs": [{"url": "publish://"}]})
    assert viewer.get("/streams/pw")["password"] == "***" != api.get("/streams/pw")["password"]
    assert viewer.get("/streams/pw?part=config_override")["password"] == "***"
    api("DELETE", "/streams/pw")
    assert ranges(api, "cam"), "nothing was deleted"


def test_lists(server: Server, api: Api) -> None:
    for index in range(5):
        patch = {"inputs": [{"url": "publish://"}], "title": f"T{index}", "position": 9 - index}
        assert api("PUT", f"/streams/list/{index}", patch).status == 200
    found = api.get("/streams?name_like=list&limit=2&select=title")
    assert [one["name"] for one in found["streams"]] == ["list/4", "list/3"] and found["estimated_count"] == 5
    assert found["streams"][0].keys() == {"name", "title"} and found["prev"] is None
    following = api.get(f"/streams?name_like=list&limit=2&select=title&cursor={found['next']}")
    assert [one["title"] for one in following["streams"]] == ["T2", "T1"]
    assert [one["name"] for one in api.get("/streams?stats.alive=true")["streams"]] == ["cam"]
    assert [one["name"] for one in api.get("/streams?q=t3&sort=-name")["streams"]] == ["list/3"]
    for index in range(5):
        assert api("DELETE", f"/streams/list/{index}").status == 204


def test_a_change_of_retention_does_not_interrupt(server: Server, api: Api) -> None:
    before = api.get("/streams/cam")["stats"]
    for expiration in (86_400, 172_800):
        assert api("PUT", "/streams/cam", {"dvr": {"expiration": expiration}, "title": "Renamed"}).status == 200
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGHUP)
    until("it happens", lambda: "reloaded" in server.log.read_text())
    after = api.get("/streams/cam")
    assert after["stats"]["opened_at"] == before["opened_at"] and after["title"] == "Renamed"
    assert api.get("/streams/cam?part=config_override")["dvr"] == {"expiration": 172_800}
    assert api.get("/streams/cam?part=config_on_disk")["title"] == "Camera"
    assert api("DELETE", "/streams/cam").status == 204
    assert api.get("/streams/cam")["title"] == "Camera" and len(ranges(api, "cam")) == 1
    assert len(api.get("/streams/cam/dvr/ranges?gaps=true")["gaps"]) == 0


def test_deleting_what_is_being_recorded(server: Server, api: Api) -> None:
    assert api("PUT", "/streams/del", {"inputs": [{"url": FAKE}], "dvr": {"reference": "main"}}).status == 200
    until("it happens", lambda: (found := ranges(api, "del")) and found[0]["closed_at"] - found[0]["opened_at"] > 8000)
    (item,) = ranges(api, "del")
    body = {"from": (item["opened_at"] + 2500) / 1000, "duration": 3.5}
    assert api("DELETE", "/streams/del/dvr/ranges", body).status == 204
    found = api.get("/streams/del/dvr/ranges?gaps=true")
    (gap,) = found["gaps"]
    assert gap["reason"] == "deleted" and item["opened_at"] + 2500 <= gap["opened_at"]
    assert gap["closed_at"] <= item["opened_at"] + 6000
    begin = item["opened_at"] // 1000
    # What follows the hole is shown from the next key frame on: there is one each 5 s.
    until("the next key frame", lambda: ranges(api, "del")[-1]["closed_at"] > item["opened_at"] + 16_000)
    playlist = server.text(f"/del/mono-{begin}-16.m3u8")
    segments = [line for line in playlist.splitlines() if not line.startswith("#")]
    assert segments and playlist.count("#EXT-X-DISCONTINUITY\n") == 1, playlist
    for segment in segments:
        answer = server.get(f"/del/{segment}")
        assert answer.status == 200 and answer.read()[4:8] in (b"moof", b"styp"), segment
    data = server.get(f"/del/archive-{begin}-13.mp4?gaps=keep").read()
    (server.folder / "del.mp4").write_bytes(data)
    with av.open(str(server.folder / "del.mp4")) as file:
        times = [float(frame.time or 0) for frame in file.decode(video=0)]
    assert max(after - before for before, after in pairwise(times)) >= (gap["closed_at"] - gap["opened_at"]) / 1000
    api("DELETE", "/streams/del")


def test_exports(server: Server, api: Api) -> None:
    begin = ranges(api, "cam")[0]["from"] + 2
    export = f"/streams/cam/dvr/export?from={begin}&duration=5&path="
    exports = server.folder / "exports"
    (server.folder / "outside").mkdir()
    exports.mkdir(exist_ok=True)
    (exports / "link").symlink_to(server.folder / "outside")
    for path in ("/etc/x.mp4", f"{exports}/../x.mp4", f"{exports}/link/x.mp4", "x.mp4", f"{server.root}/.flussdvr"):
        assert api("POST", export + path).status == 403, path
    assert api("POST", export + f"{server.root}/cam/2026/11/20/17/1795194000000.mp4").status == 403
    assert api("POST", export + f"{exports}/a/b.mp4&packing=fragmented").status == 200
    assert api("POST", export + f"{exports}/c.mp4&meta=true").status == 200
    assert api("POST", f"/streams/cam/dvr/export?from=1&duration=5&path={exports}/d.mp4").status == 404
    served = server.get(f"/cam/archive-{begin}-5.mp4").read()
    with av.open(str(exports / "c.mp4")) as file:
        assert file.metadata["title"] == "Camera" and abs(file.duration / 1e6 - 5) < 0.2  # type: ignore[operator]
    assert abs(len(served) - (exports / "c.mp4").stat().st_size) < 1000
    assert sorted(path.name for path in exports.rglob("*") if path.is_file()) == ["b.mp4", "c.mp4"]

    order = {"name": "cam", "from": begin * 1000, "duration": 5000, "path": f"{exports}/job.mp4"}
    assert api("PUT", "/dvr_export_jobs/my-id", order).json["status"] == "running"
    job = until("it happens", lambda: (found := api.get("/dvr_export_jobs/my-id"))["status"] != "running" and found)
    assert (
        job["status"] == "succeeded" and job["progress"] == 100 and job["size"] == (exports / "job.mp4").stat().st_size
    )
    assert api("PUT", "/dvr_export_jobs/my-id", {**order, "path": "/x"}).status == 409
    assert api("PUT", "/dvr_export_jobs/other", order).status == 200
    assert until("it happens", lambda: api.get("/dvr_export_jobs/other")["error"]) == "file_exists"
    assert [one["id"] for one in api.get("/dvr_export_jobs?status=succeeded")["jobs"]] == ["my-id"]
    assert api("DELETE", "/dvr_export_jobs/other").status == 204 == api("DELETE", "/dvr_export_jobs/my-id").status
    assert api("GET", "/dvr_export_jobs/other").status == 404


def test_storages(server: Server, api: Api) -> None:
    """Made, filled, changed under what records to them, removed."""
    new = {"root": str(server.folder / "second"), "expiration": 3600}
    assert api("PUT", "/dvrs/second", new).json == {**api.get("/dvrs/second"), **new}
    assert api("PUT", "/streams/cam", {"dvr": {"reference": "second"}}).status == 200
    until(
        "it happens",
        lambda: api.get("/dvrs/second")["stats"]["blobs_count"] and api.get("/dvrs/second")["stats"]["size"],
    )
    assert api("PUT", "/dvrs/second", {"expiration": 7200}).json["expiration"] == 7200
    assert api.get("/streams/cam")["dvr"]["expiration"] == 7200
    viewer = Api(server.http, user="viewer:look")
    assert viewer("PUT", "/dvrs/second", new).status == 403 == viewer("DELETE", "/dvrs/second").status
    assert api("PUT", "/dvrs/second", {"root": "x"}).json["errors"][0]["source"] == {"pointer": "/root"}
    assert api("DELETE", "/dvrs/second").json["error"] == "dvr_in_use"
    assert api("DELETE", "/streams/cam").status == 204 == api("DELETE", "/dvrs/second").status
    assert api("GET", "/dvrs/second").status == 404 and api("DELETE", "/dvrs/main").status == 409
    assert api.get("/streams/cam")["dvr"]["root"] == str(server.root)


def test_the_rest(server: Server, api: Api) -> None:
    (dvr,) = api.get("/dvrs")["dvrs"]
    assert dvr["name"] == "main" and dvr["stats"]["used"] > 0 == len(
        set(dvr) - {"name", "root", "expiration", "stats", "sync_interval"}
    )
    assert api.get("/dvrs/main")["root"] == str(server.root) and api("GET", "/dvrs/x").status == 404
    assert dvr["stats"]["size"] > 0
    config = api.get("/config")
    assert {"streams", "dvrs", "stats"} <= set(config) and config["stats"]["online_streams"] >= 1
    text = curl("-H", "Accept: text/plain", f"{api.url}/config")
    assert text.status == 200 and b"stream cam" in text.body
    for data, status in (("http 80;", 200), ("htpt 80;", 400)):
        assert curl("-H", "Content-Type: text/plain", "--data-binary", data, f"{api.url}/config").status == status
    nobody = Api(server.http, "/flussonic/api/v3", None)
    assert nobody.get("/monitoring/readiness")["server_version"] == nobody.get("/monitoring/liveness")["server_version"]
    assert nobody.get("/schema")["openapi"].startswith("3.1")
    assert api("POST", "/streams/cam/stop").status == 204
    legacy = Api(server.http, "/flussonic/api")
    until("it happens", lambda: legacy("GET", "/stream_health/cam").status == 200)
    assert legacy.get("/server")["total_streams"] >= 1
    assert any(one["value"]["name"] == "cam" for one in legacy.get("/media"))
    (status,) = legacy("POST", "/dvr/lock", {"stream": "cam", "from": 5, "duration": 5}).json
    assert status["locks"] == [{"from": 5, "duration": 5}]
    (status,) = legacy("POST", "/dvr/unlock?stream=cam&from=5&duration=5").json
    assert status["locks"] == []
    assert legacy("POST", "/modify_config", {"streams": {"old": {"urls": [{"url": "publish://"}]}}}).status == 200
    assert (
        api.get("/streams/old")["inputs"][0]["url"] == "publish://"
        and legacy("GET", "/stream_health/old").status == 424
    )
    assert legacy("POST", "/modify_config", {"streams": {"old": None}}).status == 200
    assert curl("--data", "stream older publish://", f"{legacy.url}/config/stream_create").status == 200
    assert api.get("/streams/older")["inputs"][0]["url"] == "publish://"
    assert curl("--data", "older", f"{legacy.url}/config/stream_delete").status == 200
    assert legacy("POST", "/dvr_disable/cam").status == 200 and not api.get("/streams/cam")["stats"]["dvr_enabled"]
    assert legacy("POST", "/dvr_enable/cam").status == 200 and api.get("/streams/cam")["stats"]["dvr_enabled"]


def test_what_older_scripts_ask_for(server: Server, api: Api) -> None:
    server.wait_recorded("cam", 5)
    legacy = Api(server.http, "/flussonic/api")
    (status,) = legacy.get("/dvr/lock?stream=cam")
    first = status["ranges"][0]["from"]
    assert status["stream"] == "cam" and isinstance(legacy.get("/dvr/lock"), list)
    (day,) = legacy.get(f"/dvr_status/{time.strftime('%Y/%m/%d', time.gmtime(first))}/cam")
    assert day["ranges"][0]["from"] == first
    assert legacy.get("/dvr_status/2001/01/01/cam") == [{"stream": "cam", "ranges": [], "locks": []}]
    for path in ("/dvr_status/2001/13/01/cam", "/dvr_status/0/01/01/cam", "/dvr_status/2001/01/01/nobody"):
        assert legacy("GET", path).status == 404
    modify = f"{legacy.url}/modify_config"
    assert curl("--data-binary", "stream text { input publish://; transcoder vb=copy; }", modify).json["warnings"]
    assert api.get("/streams/text")["inputs"][0]["url"] == "publish://"
    assert curl("--data-binary", "stream text { input publish://; dvr @main 2d; }", modify).status == 200
    assert api.get("/streams/text")["dvr"]["expiration"] == 2 * 86_400
    for wrong in ("stream text { input publish://; hls_off; }", "http 80;", "stream {", '{"cluster_key": "x"}'):
        assert curl("--data-binary", wrong, modify).status == 400
    assert legacy("POST", "/modify_config", {"streams": {"text": {"hls_off": True, "dash_off": False}}}).status == 200
    protocols = api.get("/streams/text")["protocols"]
    assert "hls" not in protocols and "mp4" in protocols
    for body in ({"streams": {"text": {"hls_off": 1}}}, {"streams": {"text": 5}}, {"streams": []}, []):
        assert legacy("POST", "/modify_config", body).status == 400
    read = legacy.get("/read_config")
    read["streams"]["text"]["urls"] = [{"url": "publish://"}, {"url": "udp://127.0.0.1:9"}]
    assert legacy("POST", "/modify_config?async=true", read).status == 200
    assert [one["url"] for one in api.get("/streams/text")["inputs"]] == ["publish://", "udp://127.0.0.1:9"]
    assert not api.get("/streams/cam?part=config_override").get("inputs"), "what was not changed is the file's"
    assert curl("--data-binary", "stream text { title x; }", modify).status == 200
    assert len(api.get("/streams/text")["inputs"]) == 2, "what the text does not say stays"
    assert legacy("POST", "/modify_config", {"streams": {"text": None}}).status == 200
    assert legacy.get("/whoami")["role"] == "admin" and legacy("POST", "/reload").status == 200
    (status,) = legacy.get(f"/recording_status?streams=cam&from={first}&to={first + 2}")
    assert status["ranges"][0]["from"] == first
    for path in ("media_info.json?token=a", f"index-{first}-4.m3u8?token=b"):
        assert curl(f"http://127.0.0.1:{server.http}/cam/{path}", user=None).status == 200
    sessions = legacy.get("/sessions?name=cam")["sessions"]
    assert {one["type"] for one in sessions} == {"play", "dvr"}
    assert {one["type"] for one in api.get("/sessions")["sessions"]} == {"play", "dvr"}
    lines = "\n".join([*(one["id"] for one in sessions), "0" * 40, ""])
    closed = curl("--data-binary", lines, f"{legacy.url}/close_sessions").json
    assert closed == {"success": True, "closed": len(sessions)}
    assert legacy.get("/sessions?name=cam")["sessions"] == []
    assert api("POST", "/streams/cam/dvr/locks", {"from": 7, "duration": 5}).status == 204
    (episode,) = (
        one for one in api.get("/dvr_episodes?media=cam&poll_timeout=1")["episodes"] if one["opened_at"] == 7000
    )
    assert (episode["media"], episode["closed_at"]) == ("cam", 12_000)
    assert api.get("/dvr_episodes?media=other")["episodes"] == []
    assert api("DELETE", "/streams/cam/dvr/locks", {"from": 7, "duration": 5}).status == 204
    checked = api("POST", "/streams/cam/dvr/consistency_check").json
    assert checked["name"] == "cam" and checked["checked"] >= 1 and checked["errors"] == []
    assert api("POST", "/streams/nobody/dvr/consistency_check").status == 404


def test_killed_between_any_two_changes(serve: Callable[..., Server]) -> None:
    """Old or new, nothing in between, nothing left lying about; what was answered with success is there."""
    server = serve(f"stream cam {{ input {FAKE}; dvr @main; }}")
    begin = server.wait_recorded("cam", 10)[0][0]
    for round in range(3):
        api = Api(server.http)
        assert api("PUT", "/streams/new", {"title": f"T{round}", "inputs": [{"url": "publish://"}]}).status == 200
        assert api("POST", "/streams/cam/dvr/locks", {"from": begin + 4, "duration": 2}).status == 204
        url = f"{api.url}/streams/cam/dvr"
        body = json.dumps({"from": begin + 1 + round, "duration": 2})
        path = f"{server.folder}/exports/{round}.mp4"
        calls = [
            ["curl", "-s", "-u", "admin:secret", "-X", "DELETE", f"{url}/ranges", "--data", body],
            ["curl", "-s", "-u", "admin:secret", "-X", "POST", f"{url}/export?from={begin + 4}&duration=2&path={path}"],
            ["curl", "-s", "-u", "admin:secret", "-X", "PUT", f"{api.url}/streams/half", "--data", '{"title":"x"}'],
        ]
        started = [subprocess.Popen(call, stdout=subprocess.DEVNULL) for call in calls]
        time.sleep(0.02 * round)
        server.kill()
        for one in started:
            one.wait(10)
        server.start()
        api = Api(server.http)
        assert api.get("/streams/new")["title"] == f"T{round}"
        assert api.get("/streams/cam/dvr/locks")["locks"][0]["from"] == begin + 4
        half = api("GET", "/streams/half")
        assert half.status == 404 or half.json["title"] == "x"
        until("it happens", lambda: ranges(Api(server.http), "cam"))
        left = [path.name for path in server.folder.rglob("*") if re.search(r"\.new$|\.part$|^\.export", path.name)]
        assert left == []
        if os.path.exists(path):
            with av.open(path) as file:
                assert sum(1 for _ in file.decode(video=0)) == 20


def test_the_schema_holds(server: Server, api: Api, tmp_path: Path) -> None:
    """schemathesis: whatever is sent, no 5xx, no status and no body that the schema does not have."""
    pytest.importorskip("schemathesis")
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{api.url}/schema", "--url", api.url]
    command += ["-a", "admin:secret", "-n", "10", "--phases", "coverage,fuzzing", "-c", checks, "--seed", "1"]
    command += ["--suppress-health-check", "filter_too_much"]  # says nothing of the API
    done = subprocess.run([*command, "--no-color"], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    for stream in api.get("/streams?limit=10000&select=name")["streams"]:
        if stream["name"] != "cam":
            api("DELETE", f"/streams/{quote(stream['name'], safe='')}")
