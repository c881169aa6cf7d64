"""Three hundred streams configured by the API in one burst; lists of them, filtered and paged."""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

from bench.measure import Result, median
from tests.integration.lab.server import Server

STREAMS = 300
LISTS = ("", "?limit=300", "?q=t17", "?sort=-name&limit=50", "?stats.alive=false&select=name,stats&limit=300")
ROUNDS = 20


def run() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), "").start()
        connection = http.client.HTTPConnection("127.0.0.1", server.http)
        try:
            begin = time.perf_counter()
            for number in range(STREAMS):
                patch = {"inputs": [{"url": "publish://"}], "title": f"T{number}", "dvr": {"reference": "main"}}
                _call(connection, "PUT", f"/streams/bench/{number}", patch)
            burst_s = time.perf_counter() - begin
            times = [_call(connection, "GET", f"/streams{query}") for query in LISTS for _ in range(ROUNDS)]
        finally:
            connection.close()
            server.stop()
    return [
        Result(f"{STREAMS} streams by PUT", "s", burst_s, None, None, "<= 1 s", burst_s <= 1),
        Result(f"list of {STREAMS} streams, median", "ms", median(times), None, None, "<= 50 ms", median(times) <= 50),
        Result(f"list of {STREAMS} streams, slowest", "ms", max(times), None, None, "-", True),
    ]


def _call(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> float:
    """Milliseconds."""
    headers = {"Authorization": "Basic " + b64encode(b"admin:secret").decode()}
    begin = time.perf_counter()
    connection.request(method, "/streamer/api/v3" + path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, data
    return (time.perf_counter() - begin) * 1000
