"""
Who may publish: `on_publish http(s)://URL` and `auth://NAME`.

The backend is asked with a POST of JSON: {"name", "proto", "ip", "token", "request_type": "publish"} and the options
of `on_publish`. 200 permits; whatever else comes, or does not come, forbids.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from flussdvr.access.authority import Authority, Question, decide
from flussdvr.access.backend import Parameters
from flussdvr.access.verdict import BackendFailed, Reply
from flussdvr.config.model import AuthSettings, Config


class PostedBackend(Protocol):
    async def post(self, url: str, parameters: Parameters) -> Reply:
        """Raises `BackendFailed`."""
        ...


class _Posting:
    """A backend that is asked by POST."""

    def __init__(self, backend: PostedBackend) -> None:
        self._backend = backend

    async def ask(self, url: str, parameters: Parameters) -> Reply:
        return await self._backend.post(url, parameters)


class PublishersGate:
    """`config()`: the configuration of this moment; `country(ip)` as for `ViewersGate`."""

    def __init__(
        self,
        config: Callable[[], Config],
        backend: PostedBackend,
        now_ms: Callable[[], int],
        country: Callable[[str], str | None] = lambda ip: None,
    ) -> None:
        self._config = config
        self._backend = _Posting(backend)
        self._now_ms = now_ms
        self._country = country

    async def permit(
        self, on_publish: AuthSettings, name: str, proto: str, peer: str, password: str | None
    ) -> str | None:
        """Why somebody may not publish; `None` if they may. `peer` is an address with its port."""
        ip = peer.rpartition(":")[0].strip("[]")
        is_lists = on_publish.url.lower().startswith("auth://")
        lists = self._config().auth_backends.get(on_publish.url.partition("://")[2]) if is_lists else None
        parameters = (
            *(("name", name), ("proto", proto), ("ip", ip), ("token", password or "")),
            *(("request_type", "publish"), ("type", proto)),
            *((("country", country),) if (country := self._country(ip)) else ()),
        )
        authority, question = Authority(on_publish, lists), Question(name, ip, password or "", "", parameters, country)
        try:
            verdict = await decide(authority, question, self._backend, self._now_ms)
        except BackendFailed:
            return None if authority.allow_default else "nobody can be asked now"
        return None if verdict.allowed else f"publishing {name} is not allowed"
