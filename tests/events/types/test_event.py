"""From a value to the JSON object that sinks get."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from flussdvr.events.types import EVENTS
from flussdvr.events.types.archive import DvrDropWrite, DvrRootImported, ThumbnailFailed
from flussdvr.events.types.server import ClockHeld
from flussdvr.events.types.streams import SourceConnected, SourceLost


def test_the_fields_in_order_and_the_name_first() -> None:
    document = SourceLost(media="cam", reason="timeout").document()
    assert list(document.items()) == [("event", "source_lost"), ("media", "cam"), ("reason", "timeout")]


def test_null_is_written_where_the_field_must_be_there() -> None:
    assert ClockHeld(shift_ms=None).document() == {"event": "clock_held", "shift_ms": None}


def test_what_may_be_left_out_is_left_out() -> None:
    source = {"media": "cam", "url": "udp://239.0.0.1:5000", "priority": 1}
    assert SourceConnected(**source).document() == {"event": "source_connected", **source}  # type: ignore[arg-type]
    assert SourceConnected(**source, status=200).document()["status"] == 200  # type: ignore[arg-type]
    assert "begin_ms" not in ThumbnailFailed(media="cam", reason="timeout").document()


def test_a_default_that_is_a_value_is_written() -> None:
    assert DvrDropWrite(media="cam", path="/d", begin_ms=0, duration=40).document()["reason"] == "disk"


def test_tuples_are_lists_as_in_json() -> None:
    event = DvrRootImported(path="/d", found=0, gone=0, skipped=2, reasons=("a", "b"))
    assert event.document()["reasons"] == ["a", "b"]


@pytest.mark.parametrize("kind", EVENTS.values())
def test_every_event_is_an_immutable_value(kind: Any) -> None:
    event = kind(**{field.name: 1 for field in fields(kind)})
    assert event == kind(**{field.name: 1 for field in fields(kind)})
    assert list(event.document()) == ["event", *(field.name for field in fields(kind))]
    assert not hasattr(event, "__dict__")
    for field in fields(kind):
        with pytest.raises(FrozenInstanceError):
            setattr(event, field.name, 2)
