"""
Events: a receiver that is not there, fails, hangs, takes and does not say so; a server that is restarted and killed
meanwhile. Every event that arrives is as the schema says.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab.curl import Api
from tests.integration.lab.server import Server, free_port
from tests.integration.lab.wait import until

pytestmark = pytest.mark.long

EventSchema = Any
"""The fixture of tests/conftest.py."""
FAKE = "input fake://?size=160x90&fps=10&gop=10; dvr @main; segment_duration 1;"


class Receiver:
    """
    Takes events on `port` while it is `up`. `mode`: "good"; "error", a 500; "hang", no answer; "mute", they are taken,
    and the connection breaks before the answer. `taken`: for each list that was taken, whether that was acknowledged.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.mode = "good"
        self.events: list[dict[str, Any]] = []
        self.taken: list[tuple[bool, list[str]]] = []
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
                if mode in ("good", "mute"):
                    receiver.events += body
                    receiver.taken.append((mode == "good", [event["event_id"] for event in body]))
                if mode != "good":
                    receiver.refused += 1
                if mode == "mute":
                    self.close_connection = True
                    return
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


def test_every_event_arrives_in_order_whatever_happens(
    serve: Callable[..., Server], receiver: Receiver, tmp_path: Path, event_schema: EventSchema
) -> None:
    log = tmp_path / "all.json"
    settings = f"""
        event_sink usage {{
          url http://127.0.0.1:{receiver.port}/events; only event=web_request media=cam; resend_timeout 1;
        }}
        event_sink all {{ url jsonlog://{log}; max_size 1G; }}
    """
    gone = "stream gone { input tshttp://me:secret@127.0.0.1:1/gone; }"
    server = serve(f"stream cam {{ {FAKE} }}\n{gone}", settings=settings)
    count = 0

    def ask(times: int) -> None:
        nonlocal count
        for _ in range(times):
            count += 1
            assert server.get(f"/cam/archive-{count}-1.mp4").status == 404, "a dead sink stops nobody"

    ask(30)  # nobody is there
    receiver.up()
    until("it happens", lambda: receiver.numbers() == list(range(1, 31)))
    ask(20)
    until("it happens", lambda: len(receiver.numbers()) == 50)
    receiver.mode = "error"
    ask(150)
    until("it happens", lambda: receiver.refused >= 2)
    server.stop()
    server.start()  # what waited outlives a restart
    ask(20)
    receiver.mode = "good"
    until("it happens", lambda: len(set(receiver.numbers())) == count)
    receiver.mode, receiver.refused = "hang", 0
    ask(10)
    until("it happens", lambda: receiver.refused >= 2)  # the first try has been given up
    receiver.mode = "good"
    until("it happens", lambda: len(receiver.numbers()) == count)
    receiver.mode, receiver.refused = "hang", 0
    ask(40)
    until("it happens", lambda: receiver.refused)
    time.sleep(1.5)
    server.kill()  # and, once it is a second old, a kill
    receiver.mode, receiver.refused = "error", 0
    server.start()
    ask(10)
    until("it happens", lambda: receiver.refused)
    time.sleep(1.5)
    server.kill()  # again, before anything of the first time was delivered
    receiver.down()
    server.start()
    ask(120)  # more than a list holds
    receiver.mode = "good"
    receiver.up()
    until("it happens", lambda: len(set(receiver.numbers())) == count)
    numbers = receiver.numbers()
    assert numbers == list(range(1, count + 1)), "in order, none missing, none twice"
    receiver.mode, receiver.refused = "mute", 0
    ask(10)
    until("it happens", lambda: receiver.refused >= 2)
    receiver.mode = "good"
    until("it happens", lambda: receiver.taken[-1][0] and len(set(receiver.numbers())) == count)
    what_else_happens(server)
    server.stop()

    assert list(dict.fromkeys(receiver.numbers())) == list(range(1, count + 1)), "in order, none missing"
    arrived = Counter(id for _, ids in receiver.taken for id in ids)
    unsure = {id for acknowledged, ids in receiver.taken if not acknowledged for id in ids}
    assert unsure and {id for id, times in arrived.items() if times > 1} <= unsure, "twice only where nothing was said"
    assert Counter(id for acknowledged, ids in receiver.taken if acknowledged for id in ids).most_common(1)[0][1] == 1
    assert all(event["server"] and event["media"] == "cam" for event in receiver.events)

    told = [json.loads(line) for line in log.read_text().splitlines()]
    event_schema.check(receiver.events)
    event_schema.check(told)
    names = {event["event"] for event in told}
    assert event_schema.names - event_schema.RARE <= names
    failed = [event for event in told if event["event"] == "source_closed" and event["url"].endswith("/gone")]
    assert {event["url"] for event in failed} == {"tshttp://me:***@127.0.0.1:1/gone"}
    assert all("refused" in event["reason"] for event in failed)
    assert len(failed) <= len([event for event in told if event["event"] == "server_starting"]), "not at every attempt"


def what_else_happens(server: Server) -> None:
    """Somebody watches, deletes, exports what is not there; the configuration is broken and mended."""
    api = Api(server.http)
    playlist = server.get("/cam/index.m3u8?token=t").read().decode()
    first = [line for line in playlist.splitlines() if line and not line.startswith("#")][0]
    server.get(f"/cam/{first}").read()
    begin_ms = api("GET", "/streams/cam/dvr/ranges").json["ranges"][0]["opened_at"]
    link = api("POST", "/streams/cam/dvr/links", {"from": begin_ms / 1000, "duration": 3}).json["id"]
    assert api("DELETE", f"/streams/cam/dvr/links/{link}").status == 204
    assert api("DELETE", "/streams/cam/dvr/ranges", {"from": begin_ms / 1000, "duration": 3}).status == 204
    assert api("POST", "/streams/cam/dvr/export?from=5&duration=1&path=/none.mp4").status == 403
    good = server.config.read_text()
    for text, line in ((good + "nonsense", "not reloaded"), (good, "reloaded ")):
        server.config.write_text(text)
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)
        until("it happens", lambda line=line: line in server.log.read_text())  # type: ignore[misc]


def test_a_dead_sink_is_bounded_and_says_what_it_lost(
    serve: Callable[..., Server], receiver: Receiver, event_schema: EventSchema
) -> None:
    settings = f"""event_sink s {{
        url http://127.0.0.1:{receiver.port}/; only event=web_request,events_dropped; resend_limit 5; resend_timeout 1;
    }}"""
    server = serve(f"stream cam {{ {FAKE} }}", settings=settings)
    server.get("/cam/archive-0-1.mp4")
    until("it happens", lambda: "wait" in server.log.read_text())
    for number in range(1, 21):
        server.get(f"/cam/archive-{number}-1.mp4")
    receiver.up()
    until("it happens", lambda: any(event["event"] == "events_dropped" for event in receiver.events))
    (lost,) = [event for event in receiver.events if event["event"] == "events_dropped"]
    before = receiver.events[: receiver.events.index(lost)]
    event_schema.check(receiver.events)
    assert len(before) == 5 and lost["sink"] == "s" and lost["count"] >= 16
