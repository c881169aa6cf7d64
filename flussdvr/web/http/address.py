# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Where a request comes from.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from flussdvr.config.model import IPNetwork
from flussdvr.web.http.site import DvrRequest


def client_address(request: DvrRequest, trusted: tuple[IPNetwork, ...]) -> str:
    """Where a request comes from; a trusted proxy is believed about it (`X-Real-IP`, last of `X-Forwarded-For`)."""
    address = str(getattr(request.getClientAddress(), "host", ""))
    if is_forwarded(request, trusted):
        forwarded = (request.getHeader("x-forwarded-for") or "").rpartition(",")[2]
        told = (request.getHeader("x-real-ip") or forwarded).strip()
        try:
            return str(ip_address(told))
        except ValueError:
            return address
    return address


def is_forwarded(request: DvrRequest, trusted: tuple[IPNetwork, ...]) -> bool:
    """Whether a trusted proxy has sent a request, so that its `X-Forwarded-*` are believed."""
    return is_inside(str(getattr(request.getClientAddress(), "host", "")), trusted)


def is_inside(address: str, networks: tuple[IPNetwork, ...]) -> bool:
    """Whether an address lies in one of the networks; what is no address does not."""
    try:
        parsed: Any = ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network for network in networks)
