from types import SimpleNamespace
from typing import Any

from flussdvr.ingest.publish.input import PublishInput
from flussdvr.ingest.udp.input import UdpInput
from flussdvr.media import LeftOut
from flussdvr.web.api.stats import failure, last_error


def an_input(kind: Any, reason: str | None) -> Any:
    made = object.__new__(kind)
    made.reason = reason
    return made


def test_why_a_stream_does_not_run() -> None:
    assert failure([]) is None
    assert failure([an_input(UdpInput, None), an_input(UdpInput, "no data for 10 s")]) == "no data for 10 s"
    assert failure([an_input(PublishInput, "nobody publishes")]) is None


def test_the_last_error_is_what_is_not_recorded_else_why_the_source_was_lost() -> None:
    source = SimpleNamespace(last_error="connection refused")
    stream = SimpleNamespace(left_out=(LeftOut("teletext", "no", serious=False),))
    running: Any = SimpleNamespace(stream=stream, inputs=SimpleNamespace(branches=[SimpleNamespace(input=source)]))
    assert last_error(running) == "connection refused"
    stream.left_out += (LeftOut("DTS sound on PID 7", "so"),)
    assert last_error(running) == "DTS sound on PID 7 is not recorded: so"
    stream.left_out, source.last_error = (), None
    assert last_error(running) is None
