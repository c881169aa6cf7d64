"""Documents of streams."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock

from flussdvr.config.model import Config, InputSettings, StreamSettings
from flussdvr.ingest.inputs import Inputs
from flussdvr.web.api.stats import Nobody
from flussdvr.web.api.streams import StreamDocuments


def test_each_input_has_its_own_figures() -> None:
    urls = {"fake://?size=320x180": 2, "udp://127.0.0.1:5001": 1, "udp://127.0.0.1:5002": 1, "publish://": 1}
    settings = StreamSettings("ort", inputs=tuple(InputSettings(url, priority) for url, priority in urls.items()))
    sink: Any = None
    inputs = Inputs(settings.inputs, sink, Clock())
    stream = SimpleNamespace(
        **{"alive": False, "window": SimpleNamespace(segments=[], growing=None), "bytes_in": 0, "opened_at_ms": 0},
        **{"last_fragment_ms": None, "left_out": (), "losses": SimpleNamespace(per_s=lambda: 0)},
    )
    running = SimpleNamespace(stream=stream, inputs=inputs, settings=settings, recorder=None)
    streams: Any = SimpleNamespace(names=lambda: ["ort"], entry={"ort": running}.get, archive=lambda name: None)
    administration: Any = SimpleNamespace(config=Config(streams={"ort": settings}))
    document = StreamDocuments(administration, streams, Nobody(), lambda: 0).one("ort", True)
    assert [one["url"] for one in document["inputs"]] == list(urls)
    assert [one["stats"]["url"] for one in document["inputs"]] == list(urls)
    assert [one["stats"]["priority"] for one in document["inputs"]] == list(urls.values())
