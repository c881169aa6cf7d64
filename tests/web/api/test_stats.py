from typing import Any

from flussdvr.ingest.publish_input import PublishInput
from flussdvr.ingest.udp import UdpInput
from flussdvr.web.api.stats import failure


def an_input(kind: Any, reason: str | None) -> Any:
    made = object.__new__(kind)
    made.reason = reason
    return made


def test_why_a_stream_does_not_run() -> None:
    assert failure([]) is None
    assert failure([an_input(UdpInput, None), an_input(UdpInput, "no data for 10 s")]) == "no data for 10 s"
    assert failure([an_input(PublishInput, "nobody publishes")]) is None
