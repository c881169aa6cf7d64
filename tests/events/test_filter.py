"""Filters as the configuration describes them."""

from __future__ import annotations

from typing import Any

import pytest

from flussdvr.events.filter import may_want, wanted

CAM = {"event": "source_lost", "media": "cam1", "bytes": 17, "aborted": True, "reason": None}


@pytest.mark.parametrize(
    ("only", "except_", "expected"),
    [
        ((), (), True),
        (({"event": ("source_lost",)},), (), True),
        (({"event": ("web_request", "source_*")},), (), True),
        (({"event": ("source",)},), (), False),
        (({"event": ("*lost",), "media": ("cam*",)},), (), True),
        (({"event": ("*lost",), "media": ("tv*",)},), (), False),
        (({"event": ("x",)}, {"media": ("c*1",)}), (), True),
        (({"bytes": ("17",), "aborted": ("true",)},), (), True),
        (({"reason": ("*",)},), (), False),
        (({"nothing": ("*",)},), (), False),
        ((), ({"media": ("*",)},), False),
        ((), ({"media": ("cam1",), "event": ("web_request",)},), True),
        (({"event": ("source_lost",)},), ({"event": ("*",)},), False),
        (({"media": ("cam[1]",)},), (), False),
    ],
)
def test_sets(only: Any, except_: Any, expected: bool) -> None:
    assert wanted(CAM, only, except_) is expected


def test_level() -> None:
    assert wanted(CAM, (), (), "warning") and not wanted(CAM, (), (), "error")
    assert wanted({"event": "web_request"}, (), (), "info")


def test_what_nobody_can_want() -> None:
    assert may_want("web_request", ())
    assert may_want("web_request", ({"event": ("web_*",), "media": ("cam",)},))
    assert may_want("web_request", (), ({"event": ("web_*",), "media": ("cam",)},))
    assert not may_want("web_request", ({"event": ("dvr_*",)},))
    assert not may_want("web_request", (), ({"event": ("web_*",)},))
