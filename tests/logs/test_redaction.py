from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.logs.redaction import HARMLESS, is_secret_name, redact_request, redact_text, redact_url


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (b"/ort/index.m3u8?token=abc&utc=1", "/ort/index.m3u8?token=***&utc=1"),
        (b"/ort/mpegts?utc=1&PassWord=s3cret", "/ort/mpegts?utc=1&PassWord=***"),
        (b"/ort/index.m3u8?utc=1?token=a;b", "/ort/index.m3u8?utc=1?token=***;***"),
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
    assert redact_request(uri) == expected


def test_one_request_does_not_fill_the_log() -> None:
    assert len(redact_request(b"/ort/index.m3u8?" + b"a=b&" * 4000)) < 4000
    assert "secret" not in redact_request(b"/" + b"x" * 1980 + b"?token=secret" * 9)


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("udp://239.0.0.1:1234", "udp://239.0.0.1:1234"),
        ("udp://eth0@239.0.0.1:1234?pkt_size=1316", "udp://eth0@239.0.0.1:1234?pkt_size=1316"),
        ("publish://", "publish://"),
        ("file:///srv/media/a/b/1.ts", "file:///srv/media/a/b/1.ts"),
        ("fake://?size=640x360&fps=25&gop=2", "fake://?size=640x360&fps=25&gop=2"),
        ("tshttp://u:pw@h/x", "tshttp://u:***@h/x"),
        ("tshttp://h/hls/token/s3cret/x.ts", "tshttp://h/hls/token/***/x.ts"),
        ("http://h/apikey/s3cret", "http://h/apikey/***"),
        ("http://h/to%6ben/s3cret/a/b", "http://h/to%6ben/***/a/b"),
        ("http://h/token/", "http://h/token/"),
        ("file:///srv/secret/1.ts", "file:///srv/secret/1.ts"),
        ("tshttp://s3cret@h/x", "tshttp://***@h/x"),
        ("tshttp://s3cret:@h/x", "tshttp://***@h/x"),
        ("tshttp://me%3As3cret@h/x", "tshttp://***@h/x"),
        ("tshttp://:s3cret@h/x", "tshttp://***@h/x"),
        ("tshttp://u:p@w@h:8080/x", "tshttp://u:***@h:8080/x"),
        ("http://h:80/x@y", "http://h:80/x@y"),
        ("http://h?s3cret@x", "http://h?***"),
        ("http://h/x?token=abc&site=b", "http://h/x?token=***&site=b"),
        ("http://h/x?s3cret", "http://h/x?***"),
        ("http://h/x#access=s3cret", "http://h/x#access=***"),
        ("http://h/x?size=1%26pin%3Ds3cret", "http://h/x?size=***"),
        ("http://h/x?size=http://u:s3cret@g/", "http://h/x?size=***"),
        ("http://h/hdnts=s3cret~x/a.ts", "http://h/hdnts=***/a.ts"),
        ("http://h/a.ts;jsessionid=s3cret?channel=3", "http://h/a.ts;jsessionid=***?channel=3"),
        ("tshttp://h:8000/someone/s3cret/1234.ts", "tshttp://h:8000/***/***/1234.ts"),
        ("tshttp://h:8000/live/someone/s3cret/1234", "tshttp://h:8000/live/***/***/1234"),
        ("s3://KEY:SEC/RET+x@h:9000/bucket", "s3://KEY:***@h:9000/bucket"),
        ("swift://user=u&password=p@h/c", "swift://user=u&password=***@h/c"),
        ("securetoken://KEY?no_check_ip=true", "securetoken://***?no_check_ip=true"),
        ("/a/b?pin=1234&from=5", "/a/b?pin=***&from=5"),
    ],
)
def test_redact_url(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted
    assert redact_url(redacted) == redacted


NAMES = (
    "pass pwd pw hash sig signature jwt pin hdnts hdnea token auth key apikey st e code ticket sid p %70in PASS".split()
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("url", ["tshttp://h/x?{}=s3cret", "http://h/x?fps=25&{}=s3cret#y", "http://h/x;{}=s3cret/y"])
def test_no_name_of_a_secret_is_known(name: str, url: str) -> None:
    assert "s3cret" not in redact_url(url.format(name))
    assert "s3cret" not in redact_text("see " + url.format(name) + " there")


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789%_-", min_size=1, max_size=12))
def test_what_is_not_known_is_hidden(name: str) -> None:
    shown = "s3cret" in redact_url(f"tshttp://h/x?{name}=s3cret")
    assert shown == (name in HARMLESS)


@given(st.text(max_size=60))
def test_never_an_exception(text: str) -> None:
    for form in ("{}", "http://{}", "http://{}@h/{}?{}", "s3s://{}@{}"):
        assert redact_text(form.replace("{}", text)) is not None
    assert redact_request(b"/x?" + text.encode("utf-8", "replace")) is not None


def test_a_text_with_a_url_in_it() -> None:
    assert redact_text("Camera & door=open, see http://u:pw@h/x") == "Camera & door=open, see http://u:***@h/x"


def test_is_secret_name() -> None:
    secret = (
        "password passwd api_key Authorization x-token pin PIN user_pin hash sig url_sig jwt %70assword hdnts".split()
    )
    assert all(map(is_secret_name, secret))
    assert not any(map(is_secret_name, "mode author title pinned camera design interface program owner".split()))
