"""Kinds of values: rows of text and value, in both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.config.errors import Misread
from flussdvr.config.inputs import read_input_url
from flussdvr.config.names import archive_owner, stream_name_problem
from flussdvr.config.values import (
    BOOLEAN,
    DIMENSIONS,
    DURATION,
    INTERVAL,
    NETWORK,
    PERCENT,
    SIZE,
    Kind,
    duration,
    milliseconds,
)

LIFETIME = duration(60, 86_400)
SECONDS = milliseconds(1000, 15_000)


@pytest.mark.parametrize(
    ("kind", "text", "value", "written"),
    [
        (DURATION, "10s", 10, "10s"),
        (DURATION, "90", 90, "90s"),
        (DURATION, "5m", 300, "5m"),
        (DURATION, "48h", 172_800, "2d"),
        (DURATION, "2w", 1_209_600, "14d"),
        (DURATION, "1d12h", 129_600, "36h"),
        (DURATION, "0", 0, "0"),
        (LIFETIME, "60", 60, "1m"),
        (LIFETIME, "1d", 86_400, "1d"),
        (SIZE, "400G", 400 << 30, "400G"),
        (SIZE, "1024K", 1 << 20, "1M"),
        (SIZE, "2T", 2 << 40, "2T"),
        (SIZE, "1000", 1000, "1000"),
        (SIZE, "0", 0, "0"),
        (PERCENT, "97%", 97, "97%"),
        (PERCENT, "90", 90, "90%"),
        (BOOLEAN, "true", True, "on"),
        (BOOLEAN, "off", False, "off"),
        (SECONDS, "5", 5000, "5"),
        (SECONDS, "2.5", 2500, "2500ms"),
        (SECONDS, "1200ms", 1200, "1200ms"),
        (SECONDS, "5s", 5000, "5"),
        (INTERVAL, "800-1600", (800, 1600), "800-1600"),
        (INTERVAL, "2200-130", (2200, 130), "2200-130"),
        (INTERVAL, "08:00-16:30", (800, 1630), "800-1630"),
        (INTERVAL, "0-5", (0, 5), "0-5"),
        (DIMENSIONS, "320x240", (320, 240), "320x240"),
    ],
)
def test_values(kind: Kind, text: str, value: object, written: str) -> None:
    assert kind.read(text) == value
    assert kind.write(value) == written
    assert kind.read(written) == value


def test_network() -> None:
    assert str(NETWORK.read("10.1.2.3/8")) == "10.0.0.0/8"
    assert str(NETWORK.read("::1")) == "::1/128"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((DURATION, text) for text in ("", "s", "7x", "-1", "1.5h", "7 d", "٣", "1" * 5000, "99999999w")),
        *((LIFETIME, text) for text in ("0", "59s", "86401", "x")),
        *((SIZE, text) for text in ("", "G", "400GB", "400g", "1.5T", "9" * 16 + "T")),
        *((PERCENT, text) for text in ("", "%", "101%", "9.5%")),
        *((SECONDS, text) for text in ("0", "0.999", "15.001", "5.", ".5", "2.5ms", "1m")),
        *((INTERVAL, text) for text in ("", "800", "800-800", "2400-100", "860-900", "8-", "-8")),
        *((DIMENSIONS, text) for text in ("3", "320", "0x0", "99999x99999")),
        *((NETWORK, text) for text in ("", "x", "10.0.0.0/33")),
    ],
)
def test_misread(kind: Kind, text: str) -> None:
    with pytest.raises(Misread):
        kind.read(text)


@given(st.integers(0, 10**8))
def test_durations_are_read_back(seconds: int) -> None:
    assert DURATION.read(DURATION.write(seconds)) == seconds


@given(st.integers(0, (1 << 63) - 1).filter(lambda n: n < 10**16 or n % 1024 == 0))
def test_sizes_are_read_back(size: int) -> None:
    assert SIZE.read(SIZE.write(size)) == size


@pytest.mark.parametrize("name", ["ort", "a/b", "камера", "site/1001", "a.b-c_d+e@f", "a/streamer", "index", "2026"])
def test_names(name: str) -> None:
    assert stream_name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "..", "a/../b", ".", "a/.b", "a b", "a\0", "a\n", "a?b", "a#b", "a%2f", "a\\b", "a;b"]
    + ["streamer", "flussonic/x", "a/mpegts", "mpegts", "a/index.m3u8", "x.mp4", "a/archive", "\ud800", "é" * 150],
)
def test_impossible_names(name: str) -> None:
    assert stream_name_problem(name)


def test_archive_owner() -> None:
    assert archive_owner("cam/2026", {"cam"}) == "cam"
    assert archive_owner("a/b/2026/x", {"a/b"}) == "a/b"
    assert archive_owner("cam/2026", {"other"}) is None
    assert archive_owner("cam/12345", {"cam"}) is None


@pytest.mark.parametrize(
    "url",
    ["udp://239.0.0.1:1234", "udp://eth0@239.0.0.1:1234", "udp://[ff02::1]:5", "rtp://127.0.0.1:5004", "publish://"]
    + ["tshttp://h/x", "tshttps://u:p@h:8443/x?y=1", "file:///srv/x.ts", "file://x.ts", "fake://", "fake://?fps=25"],
)
def test_inputs(url: str) -> None:
    assert read_input_url(url) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("hls://h/x", "not supported yet"),
        ("rtsp://h/x", "not supported yet"),
        ("gopher://h", "unknown kind of input"),
        ("udp://239.0.0.1", "a port"),
        ("udp://h:99999", "is not a URL"),
        ("udp://name:1234", "IP address"),
        ("udp://[::1", "is not a URL"),
        ("tshttp:///x", "a host"),
        ("file://", "a path"),
        ("ort", "expected a URL"),
    ],
)
def test_impossible_inputs(url: str, says: str) -> None:
    with pytest.raises(Misread, match=says):
        read_input_url(url)
