"""Requests as for a proxy: `GET http://host/path HTTP/1.1` (RFC 9112 section 3.2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.web.http.channel import origin_form
from tests.playback.recordings import Recording
from tests.web.media.test_routes import S, Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    recording = Recording(tmp_path)
    recording.blob()
    yield Server([recording])


@pytest.mark.parametrize(
    "path",
    [
        *(f"/ort/mono-{S}-8.m3u8?token=a", f"/ort/archive-{S}-4.mp4", f"/ort/archive-{S}-4.ts", "/ort/media_info.json"),
        *("/ort/2026/11/20/17/00/02.000-02000.m4s", "/none/index.m3u8", "/"),
    ],
)
@pytest.mark.parametrize("front", ["http://x", "HTTP://tv.example:8080", "https://[::1]:8443"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_it_is_answered_as_its_path_is(server: Server, path: str, front: str, method: str) -> None:
    plain, absolute = (server.get(url, method=method) for url in (path, front + path))
    assert plain.status == absolute.status
    assert plain.body == absolute.body
    assert plain.headers.get("content-type") == absolute.headers.get("content-type")


def test_the_host_of_the_target_counts(server: Server) -> None:
    server.get("http://tv.example:81/ort/media_info.json")
    request = server.accessed[-1]
    assert request.getHeader("host") == "tv.example:81"
    assert (request.uri, request.path) == (b"/ort/media_info.json",) * 2


@pytest.mark.parametrize(
    "target", ["http://user@x/ort/media_info.json", "ftp://x/ort/media_info.json", "http:///ort", "x"]
)
def test_other_targets_are_refused(server: Server, target: str) -> None:
    assert server.get(target).status == 400


def test_more_than_one_host_is_refused(server: Server) -> None:
    assert server.get("http://x/ort/media_info.json", "Host: y").status == 400


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"http://x", (b"/", b"x")),
        (b"http://x?a=b", (b"/?a=b", b"x")),
        (b"http://x/a//b?c=http://y/", (b"/a//b?c=http://y/", b"x")),
        (b"/a", None),
        (b"*", None),
        (b"x:80", None),
    ],
)
def test_origin_form(target: bytes, expected: tuple[bytes, bytes] | None) -> None:
    assert origin_form(target) == expected


@given(st.binary(max_size=60))
def test_anything_has_an_origin_form_that_is_a_path_or_none(target: bytes) -> None:
    found = origin_form(b"http://" + target)
    assert found is None or found[0].startswith(b"/")
