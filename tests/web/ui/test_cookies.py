from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.web.http_headers import Headers

from flussdvr.web.ui.cookies import MAX_HEADER, MAX_SAME, cookies, set_cookie


class Request:
    def __init__(self, *lines: bytes) -> None:
        self.requestHeaders = Headers({b"cookie": list(lines)})
        self.responseHeaders = Headers()


def read(*lines: bytes) -> list[bytes]:
    request: Any = Request(*lines)
    return list(cookies(request, b"a"))


def test_reading() -> None:
    assert read() == []
    assert read(b"a=1") == [b"1"]
    assert read(b"b=2; a=1;a=2 ; a=", b"a=3=4") == [b"1", b"2", b"", b"3=4"]
    assert read(b"a; =1; A=1; aa=1; ;;", b"") == []
    assert read(b"x" * MAX_HEADER + b"; a=1") == []
    assert read(b"a=1;" * 100) == [b"1"] * MAX_SAME


@given(st.lists(st.binary(max_size=100), max_size=3))
def test_whatever_comes(lines: list[bytes]) -> None:
    values = read(*(line.replace(b"\n", b"").replace(b"\r", b"") for line in lines))
    assert len(values) <= MAX_SAME and not any(b";" in value for value in values)


def test_writing() -> None:
    request: Any = Request()
    set_cookie(request, "a", "x", 60, False)
    set_cookie(request, "b", "", 0, True)
    assert request.responseHeaders.getRawHeaders(b"set-cookie") == [
        b"a=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict",
        b"b=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure",
    ]
