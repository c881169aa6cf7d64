from ipaddress import ip_network
from typing import Any

import pytest

from flussdvr.errors import DvrError
from flussdvr.web.http.origin import check_origin, is_https

TRUSTED = (ip_network("192.0.2.1"),)


class Request:
    def __init__(self, ip: str = "198.51.100.1", secure: bool = False, **headers: str) -> None:
        self.host, self.secure = ip, secure
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def getHeader(self, name: str) -> str | None:
        return self.headers.get(name)

    def getClientAddress(self) -> Any:
        return self

    def isSecure(self) -> bool:
        return self.secure


def ours(**headers: str) -> bool:
    request: Any = Request(**headers)
    try:
        check_origin(request, TRUSTED)
    except DvrError as error:
        assert (error.status, error.code) == (403, "foreign_origin")
        return False
    return True


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://dvr.example", "dvr.example"),
        ("https://dvr.example", "dvr.example"),
        ("http://DVR.example", "dvr.EXAMPLE"),
        ("http://dvr.example:8080", "dvr.example:8080"),
        ("http://dvr.example", "dvr.example:80"),
        ("https://dvr.example", "dvr.example:443"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_ours(origin: str, host: str) -> None:
    assert ours(origin=origin, host=host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "dvr.example"),
        ("http://dvr.example", "dvr.example:8080"),
        ("http://dvr.example:8080", "dvr.example"),
        ("http://dvr.example:443", "dvr.example"),
        ("http://dvr.example.evil.example", "dvr.example"),
        ("http://evil-dvr.example", "dvr.example"),
        ("http://evil.example/dvr.example", "dvr.example"),
        ("http://evil.example@dvr.example", "dvr.example"),
        *((origin, "dvr.example") for origin in ("null", "", "dvr.example", "http://", "file://", "ftp://dvr.example")),
        *((origin, "") for origin in ("null", "", "http://", "http://:80")),
    ],
)
def test_foreign(origin: str, host: str) -> None:
    assert not ours(origin=origin, host=host)


def test_no_browser_says_nothing() -> None:
    assert ours(host="dvr.example")


def test_a_trusted_proxy_tells_the_name() -> None:
    told = {"origin": "https://dvr.example", "host": "127.0.0.1:8080", "x_forwarded_host": "dvr.example"}
    assert ours(ip="192.0.2.1", **told) and not ours(**told)
    assert ours(ip="192.0.2.1", origin="http://127.0.0.1:8080", host="127.0.0.1:8080")
    assert not ours(ip="192.0.2.1", origin="null", host="x", x_forwarded_host="")


@pytest.mark.parametrize(
    ("ip", "secure", "proto", "expected"),
    [
        ("198.51.100.1", True, "", True),
        ("198.51.100.1", False, "", False),
        ("198.51.100.1", False, "https", False),
        ("192.0.2.1", False, "https", True),
        ("192.0.2.1", False, "http", False),
    ],
)
def test_is_https(ip: str, secure: bool, proto: str, expected: bool) -> None:
    request: Any = Request(ip, secure, **({"x_forwarded_proto": proto} if proto else {}))
    assert is_https(request, TRUSTED) is expected
