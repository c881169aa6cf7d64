from __future__ import annotations

from twisted.internet.task import Clock

from flussdvr.live.stream import Stream
from flussdvr.rate import Rate


def test_what_is_lost_is_forgotten_when_nothing_more_is() -> None:
    clock = Clock()
    stream = Stream("ort", 2000, 4, None, lambda: 0)
    stream.losses = Rate(clock.seconds)
    stream.data_lost("a packet is missing", 40)
    clock.advance(4)
    assert stream.losses.per_s() == 10
    clock.advance(60)
    assert stream.losses.per_s() == 0
