"""A viewer: whoever sent a request, as sessions and backends know them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever sent a request, as a session remembers them; `id` is the session's."""

    id: str
    name: str
    proto: str
    ip: str
    token: str
    user_agent: str
    referer: str
    query: str
