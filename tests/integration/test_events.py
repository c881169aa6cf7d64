"""Events: a receiver that fails, hangs, answers 500 and comes back; a server that is restarted and killed meanwhile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lab.server import Server, free_port

FAKE = "input fake://?size=160x90&fps=10&gop=10; dvr @main; segment_duration 1;"


class Receiver:
    """Takes events on `port` while it is `up`; `mode` is "good", "error" or "hang"."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mode = "good"
        self.events: list[dict[str, Any]] = []
        self.refused = 0
        self._server: ThreadingHTTPServer | None = None

    def up(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.headers["content-type"] == "application/json"
                mode = receiver.mode
                if mode == "hang":
                    receiver.refused += 1
                    time.sleep(8)
                    self.close_connection = True
                    return
                if mode == "good":
                    receiver.events += body
                else:
                    receiver.refused += 1
                self.send_response(204 if mode == "good" else 500)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Connections are refused."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def numbers(self) -> list[int]:
        """Those of the requests `/cam/archive-N-1.mp4` that were told: there is nothing of 1970."""
        return [int(event["path"].split("-")[1]) for event in self.events if "archive" in event.get("path", "")]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.down()


def wait_for(condition: Callable[[], object], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_every_event_arrives_in_order_whatever_happens(
    serve: Callable[..., Server], receiver: Receiver, tmp_path: Path
) -> None:
    log = tmp_path / "all.json"
    settings = f"""
        event_sink usage {{
          url http://127.0.0.1:{receiver.port}/events; only event=web_request media=cam; resend_timeout 1;
        }}
        event_sink all {{ url jsonlog://{log}; max_size 1G; }}
    """
    server = serve(f"stream cam {{ {FAKE} }}", settings=settings)
    count = 0

    def ask(times: int) -> None:
        nonlocal count
        for _ in range(times):
            count += 1
            begin = time.monotonic()
            assert server.get(f"/cam/archive-{count}-1.mp4").status == 404
            assert time.monotonic() - begin < 1, "a dead sink slows nobody"

    ask(30)  # nobody is there
    receiver.up()
    wait_for(lambda: receiver.numbers() == list(range(1, 31)))
    ask(20)
    wait_for(lambda: len(receiver.numbers()) == 50)
    receiver.mode = "error"
    ask(150)
    wait_for(lambda: receiver.refused >= 2)
    assert server.stop() < 6
    server.start()  # what waited outlives a restart
    ask(20)
    receiver.mode = "good"
    wait_for(lambda: len(set(receiver.numbers())) == count)
    receiver.mode, receiver.refused = "hang", 0
    ask(40)
    wait_for(lambda: receiver.refused)
    time.sleep(1.5)
    server.kill()  # and, once it is a second old, a kill
    receiver.mode = "good"
    server.start()
    ask(10)
    wait_for(lambda: len(set(receiver.numbers())) == count)
    server.stop()

    numbers = receiver.numbers()
    first = list(dict.fromkeys(numbers))
    assert first == list(range(1, count + 1)), "in order, none missing"
    assert numbers == first, "this receiver never took what it did not acknowledge"
    ids = [event["event_id"] for event in receiver.events]
    assert len(set(ids)) == len(ids)
    assert all(event["server"] and event["media"] == "cam" for event in receiver.events)

    told = [json.loads(line) for line in log.read_text().splitlines()]
    names = {event["event"] for event in told}
    assert {"server_started", "server_stopped", "stream_opened", "source_started", "dvr_new_fragment"} <= names
    assert {"dvr_blob_closed", "stream_closed", "web_request"} <= names


def test_a_dead_sink_is_bounded_and_says_what_it_lost(serve: Callable[..., Server], receiver: Receiver) -> None:
    settings = f"""event_sink s {{
        url http://127.0.0.1:{receiver.port}/; only event=web_request,events_dropped; resend_limit 5; resend_timeout 1;
    }}"""
    server = serve(f"stream cam {{ {FAKE} }}", settings=settings)
    server.get("/cam/archive-0-1.mp4")
    wait_for(lambda: "wait" in server.log.read_text())
    for number in range(1, 21):
        server.get(f"/cam/archive-{number}-1.mp4")
    receiver.up()
    wait_for(lambda: any(event["event"] == "events_dropped" for event in receiver.events))
    (lost,) = [event for event in receiver.events if event["event"] == "events_dropped"]
    before = receiver.events[: receiver.events.index(lost)]
    assert len(before) == 5 and lost["sink"] == "s" and lost["count"] >= 16
