# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Cookies of a request and of an answer, RFC 6265.
"""

from __future__ import annotations

from collections.abc import Iterator

from flussdvr.web.http.site import DvrRequest

MAX_HEADER = 16 << 10
MAX_SAME = 8
"""Cookies of one name may come from several domains and paths; more than these are not looked at."""


def cookies(request: DvrRequest, name: bytes) -> Iterator[bytes]:
    """The values of the cookies of a name, in their order, as they came."""
    count = 0
    for header in request.requestHeaders.getRawHeaders(b"cookie", []):
        for pair in header[:MAX_HEADER].split(b";"):
            key, found, value = pair.strip().partition(b"=")
            if found and key == name and count < MAX_SAME:
                count += 1
                yield value


def set_cookie(request: DvrRequest, name: str, value: str, max_age_s: int, secure: bool) -> None:
    """A cookie that no script sees and no other site has sent; `max_age_s` 0 removes it."""
    cookie = f"{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict"
    request.responseHeaders.addRawHeader(b"set-cookie", (cookie + "; Secure" if secure else cookie).encode("ascii"))
