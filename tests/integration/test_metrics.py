"""/metrics of a real server, read by prometheus_client's parsers; alerts and dashboard ask for what is there."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from tests.integration.lab.server import Server
from tests.integration.lab.wait import until

ETC = Path(__file__).parents[2] / "etc"
LOOK = {"Authorization": "Basic " + base64.b64encode(b"viewer:look").decode()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("metrics")
    fake = "input fake://?size=160x90&fps=10&gop=10; dvr @main; segment_duration 1;"
    streams = f"stream cam {{ {fake} }}\nstream gone {{ input udp://127.0.0.1:9; dvr @main; }}"
    server = Server(folder, streams, settings=f"event_sink log {{ url {folder}/e.json; }}").start()
    server.wait_recorded("cam", 2)
    server.stop()
    time.sleep(3)  # a gap
    server.start()
    server.wait_recorded("cam", 5)
    time.sleep(4)  # a sync
    yield server
    server.stop()


def samples(server: Server) -> dict[tuple[str, str], float]:
    found = {}
    for family in parser.text_string_to_metric_families(server.get("/metrics", LOOK).read().decode()):
        for sample in family.samples:
            found[sample.name.removeprefix("flussdvr_"), ",".join(sample.labels.values())] = sample.value
    return found


def test_the_figures(server: Server) -> None:
    playlist = server.get("/cam/index.m3u8")
    assert playlist.status == 200 and playlist.read()
    found, root = samples(server), str(server.root)
    assert found["stream_recording", "cam"] == 1 and found["stream_recording", "gone"] == 0
    age = "stream_last_fragment_age_seconds"
    assert until("a new fragment", lambda: samples(server)[age, "cam"] < 4) and found[age, "gone"] > 4
    (_, stopped), (started, _) = server.ranges("cam")  # whole seconds, rounded outwards
    assert started - stopped <= found["stream_gap_seconds", "cam,restart"] <= started - stopped + 2
    assert found["stream_fragments_written_total", "cam"] >= 2 and found["stream_fragments_dropped_total", "cam"] == 0
    assert found["stream_sessions", "cam,hls"] == 1 and found["stream_out_bytes_total", "cam"] > 100
    assert found["root_up", root] == 1 and found["root_free_bytes", root] > 0 and found["root_sync_seconds", root] > 0
    assert found["root_recorded_bytes", root] > 10_000 and found["root_recording_bytes_per_second", root] > 1000
    assert found["root_depth_seconds", root] >= found["root_full_seconds", root] > 0
    assert found["stream_expiration_seconds", "cam"] == 7 * 86_400
    assert found["http_sent_bytes_total", "ram"] > 0 and found["http_requests_total", "200"] > 0
    assert found["events_up", "log"] == 1
    assert found["events_sent_total", "log"] > 0 and found["reactor_latency_seconds_count", ""] > 10


def test_open_metrics_and_who_may(server: Server) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    response = server.get("/metrics", {**LOOK, **accept})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert list(openmetrics_parser.text_string_to_metric_families(response.read().decode()))
    assert server.get("/metrics").status == 401
    assert server.get("/metrics", LOOK, "HEAD").status == 200


def test_open_metrics_over_the_api(server: Server) -> None:
    families = {}
    for part in ("streams", "config"):
        path = f"/streamer/api/v3/{part}?format=openmetrics"
        assert server.get(path).status == 401
        response = server.get(path, LOOK)
        assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        text = response.read().decode()
        families[part] = {family.name for family in openmetrics_parser.text_string_to_metric_families(text)}
        assert server.get(f"/streamer/api/v3/{part}?format=xml", LOOK).status == 400
        assert json.load(server.get(f"/streamer/api/v3/{part}?format=json", LOOK))
    assert "flussdvr_stream_recording" in families["streams"] < families["config"]
    assert all(name.startswith("flussdvr_stream_") for name in families["streams"])
    assert "flussdvr_root_up" in families["config"]


def test_events_and_alarms_over_the_api(server: Server) -> None:
    api = "/streamer/api/v3/"
    assert server.get(api + "events").status == server.get(api + "alarms").status == 401
    told = json.load(server.get(api + "events?media=cam", LOOK))
    assert {"stream_opened"} <= {event["event"] for event in told["events"]}
    assert all(event["media"] == "cam" for event in told["events"])
    last = told["events"][-1]
    assert told["server_started_at"] <= last["utc_ms"]
    assert json.load(server.get(f"{api}events?media=cam&after={last['event_id']}", LOOK))["events"] == []
    for limit in ("many", "2.0", "-1"):
        assert server.get(f"{api}events?limit={limit}", LOOK).status == 400
    assert len(json.load(server.get(api + "events?limit=2", LOOK))["events"]) == 2
    (alarm,) = until("an alarm: no source", lambda: json.load(server.get(api + "alarms", LOOK))["alarms"])
    assert alarm["media"] == "gone" and alarm["code"] in ("gap", "recording_stopped") and "gone has" in alarm["title"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_reads_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(ETC / "alerts.yml")], check=True, capture_output=True)


@pytest.mark.parametrize("name", ["alerts.yml", "grafana-dashboard.json"])
def test_what_is_asked_for_is_there(server: Server, name: str) -> None:
    text = (ETC / name).read_text()
    if name.endswith("json"):
        json.loads(text)
    asked = set(re.findall(r"\bflussdvr_[a-z_]+[a-z]", text))
    there = {"flussdvr_" + sample for sample, _ in samples(server)}
    assert asked and asked <= there, asked - there
