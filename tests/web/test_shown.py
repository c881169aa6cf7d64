from __future__ import annotations

import pytest

from flussdvr.web.shown import shown


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (b"/ort/index.m3u8?token=abc&utc=1", "/ort/index.m3u8?token=***&utc=1"),
        (b"/ort/mpegts?utc=1&PassWord=s3cret", "/ort/mpegts?utc=1&PassWord=***"),
        (b"/ort/index.m3u8?utc=1?token=a;b", "/ort/index.m3u8?utc=1?token=***;b"),
        (b"/ort/index.m3u8?utc=1&amp;token=a", "/ort/index.m3u8?utc=1&amp;token=***"),
        (b"/ort/index.m3u8?%74oken=abc", "/ort/index.m3u8?%74oken=***"),
        (b"/ort/index.m3u8?key=a=b&limit=3", "/ort/index.m3u8?key=***&limit=3"),
        (b"/api?path=/a/x.mp4&from=1", "/api?path=/a/x.mp4&from=1"),
        (b"/api?path=%2fa/x.mp4", "/api?path=%2fa/x.mp4"),
        (b"/api?path=s3://K:SECRET@host/b/x.mp4", "/api?path=***"),
        (b"/api?Path=%73%33%3A%2F%2FK:SECRET@host/b&from=1", "/api?Path=***&from=1"),
        (b"/token=1/index.m3u8", "/token=1/index.m3u8"),
        (b"/\xff", "/\xff"),
    ],
)
def test_secrets_are_not_shown(uri: bytes, expected: str) -> None:
    assert shown(uri) == expected


def test_one_request_does_not_fill_the_log() -> None:
    assert len(shown(b"/ort/index.m3u8?" + b"a=b&" * 4000)) < 4000
    assert "secret" not in shown(b"/" + b"x" * 1980 + b"?token=secret" * 9)
