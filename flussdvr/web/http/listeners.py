"""
The listeners that are open, and which of them a request came to.

    http 127.0.0.1:0 { api off; }     --bound--> 127.0.0.1:43121

A port alone does not tell: port 0 is any free one, and one port may have two listeners on two addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flussdvr.config.model import Config, Listener

BACKLOG = 1024
"""Connections that wait to be accepted (listen(2)); Twisted's 50 are too few when all players come back at once."""
KINDS = ("http", "https", "rtmp")
"""Of listeners, as the fields of `Config` are called."""


@dataclass(frozen=True, slots=True)
class _Bound:
    kind: str
    listener: Listener
    order: int
    """Which of the equal ones of its kind it is: two may have port 0."""
    port: int


class Listeners:
    """Reactor only."""

    def __init__(self) -> None:
        self._bound: list[_Bound] = []

    def bound(self, kind: str, listener: Listener, port: int) -> None:
        """A listener of the configuration is open at `port`. In the order of the configuration."""
        order = sum(one.kind == kind and _place(one.listener) == _place(listener) for one in self._bound)
        self._bound.append(_Bound(kind, listener, order, port))

    def hide_api(self, config: Config, host: Any) -> bool:
        """
        Whether what came to the local address `host` came to a listener with `api off`.

        `config` is that of now: a reload may have changed it for a listener that stays.
        """
        port, address = getattr(host, "port", None), getattr(host, "host", "")
        if not self._bound:
            return any(not one.api for one in (*config.http, *config.https) if one.port == port)
        here = [one for one in self._bound if one.port == port and one.kind != "rtmp"]
        exactly = [one for one in here if one.listener.address == address]
        return any(not self._now(one, config).api for one in exactly or here)

    def documents(self, config: Config) -> dict[str, list[dict[str, Any]]]:
        """By kind, the `port` that is open and the `address` (`None`: every one); what is configured before it is."""
        if not self._bound:
            return {kind: [_document(one, one.port) for one in getattr(config, kind)] for kind in KINDS}
        return {kind: [_document(one.listener, one.port) for one in self._bound if one.kind == kind] for kind in KINDS}

    def _now(self, bound: _Bound, config: Config) -> Listener:
        same: Iterable[Listener] = getattr(config, bound.kind)
        same = [one for one in same if _place(one) == _place(bound.listener)]
        return same[bound.order] if bound.order < len(same) else bound.listener


def _place(listener: Listener) -> tuple[str, int]:
    return listener.address, listener.port


def _document(listener: Listener, port: int) -> dict[str, Any]:
    return {"port": port, "address": listener.address or None}
