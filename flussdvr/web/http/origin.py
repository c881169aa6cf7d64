# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Was it a page of this server that has sent a request? RFC 6454.
"""

from __future__ import annotations

from flussdvr.config.model import IPNetwork
from flussdvr.errors import DvrError, Kind
from flussdvr.web.http.address import is_forwarded
from flussdvr.web.http.site import DvrRequest

DEFAULT_PORTS = {"http": ":80", "https": ":443"}
FORMS = frozenset({"", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
"""What a browser sends to another server without asking it before (Fetch, CORS-safelisted Content-Type)."""


def check_origin(request: DvrRequest, trusted: tuple[IPNetwork, ...]) -> None:
    """
    DvrError DENIED if a browser says (`Origin`) that a page of another server has sent the request.

    A trusted proxy may tell by which name it was asked (`X-Forwarded-Host`).
    """
    origin = request.getHeader("origin")
    if origin is None:
        return
    hosts = [request.getHeader("host") or ""]
    if is_forwarded(request, trusted):
        hosts.append((request.getHeader("x-forwarded-host") or "").partition(",")[0].strip())
    scheme, _, host = origin.lower().partition("://")
    port = DEFAULT_PORTS.get(scheme)
    ours = [one.lower().removesuffix(port) for one in hosts if one] if port else []
    if port is None or host.removesuffix(port) not in ours:
        raise DvrError(Kind.DENIED, "foreign_origin", "a page of another server has sent this")


def is_unasked(request: DvrRequest) -> bool:
    """Whether a page of any server could have sent this without the browser's asking whether it may."""
    content_type = (request.getHeader("content-type") or "").partition(";")[0].strip().lower()
    return request.method == b"POST" and content_type in FORMS


def is_https(request: DvrRequest, trusted: tuple[IPNetwork, ...]) -> bool:
    """Whether the client's connection is encrypted, as far as we or a trusted proxy know."""
    if is_forwarded(request, trusted) and request.getHeader("x-forwarded-proto") == "https":
        return True
    return bool(request.isSecure())
