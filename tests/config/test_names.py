"""Which names a stream may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.config.names import stream_name_problem


@pytest.mark.parametrize(
    "name",
    [
        "ort",
        "a/b/c",
        "cam-1_x.y",
        "2026",
        "Первый",
        "caf\u00e9",
        "東京/1",
        "\u0627\u0644\u062c\u0632\u064a\u0631\u0629",
        "🎥",
        "locks",
        "x.json",
    ],
)
def test_a_name(name: str) -> None:
    assert stream_name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", "/a", "a/", "a//b", "a/../b", ".a", "a/.lock", "@a", "a b", "a?b", "a\tb"),
        *("streamer/a", "a/mpegts", "a/info.json", "a/ranges.json", "a/recording_status.json", "a/x.m3u8", "a/x.vtt"),
        *("a/locks.json", "locks.json/a", "a/LOCKS.json", "locks.json", "a.mp4/b", "a.MP4"),
        *(
            "a\u202eb",
            "a\u2066b",
            "a\u200bb",
            "a\u200db",
            "\ufeffa",
            "a\u00adb",
            "a\u2028b",
            "a\u2003b",
            "a\ue000b",
            "a\U000e0041b",
        ),
        *("a\u3164b", "a\u115fb", "a\ufe0fb", "a\u034fb", "a\u2800b"),
        *("a\u2024b", "\u2025/a", "a\uff0eb", "a\uff0fb", "a\u2044b", "a\u2215b", "a\uff3cb", "a\u3002b"),
        *("cafe\u0301", "\u212bngstrom", "a\ud800b"),
    ],
)
def test_no_name(name: str) -> None:
    assert stream_name_problem(name) is not None


@given(st.text(max_size=20))
def test_what_is_said_of_a_name_can_be_seen(name: str) -> None:
    problem = stream_name_problem(name)
    assert problem is None or problem.isprintable()
    if problem is None:
        assert name.isprintable()
