from __future__ import annotations

import pytest

from flussdvr.web.shown import shown


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (b"/ort/index.m3u8?token=abc&x=1", "/ort/index.m3u8?token=***&x=1"),
        (b"/ort/mpegts?x=1&PassWord=s3cret", "/ort/mpegts?x=1&PassWord=***"),
        (b"/ort/index.m3u8?utc=1?token=a;b", "/ort/index.m3u8?utc=1?token=***;b"),
        (b"/token=1/index.m3u8", "/token=1/index.m3u8"),
        (b"/\xff", "/\xff"),
    ],
)
def test_secrets_are_not_shown(uri: bytes, expected: str) -> None:
    assert shown(uri) == expected
