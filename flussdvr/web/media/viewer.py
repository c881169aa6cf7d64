# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Who sends a request: what makes all that one viewer sends one session.

    name, ip, proto, token, session_keys -> id

A viewer without a token is given one, which all their requests have in common. A viewer with a pass has the pass's key
in place of a token.
"""

from __future__ import annotations

import hmac
import secrets

from flussdvr.access.authority import MAX_TOKEN, Authority
from flussdvr.access.grant import Grant
from flussdvr.access.viewer import Viewer
from flussdvr.config.model import Config
from flussdvr.errors import DvrError, Kind
from flussdvr.urls.values import MediaPath
from flussdvr.web.http.address import client_address
from flussdvr.web.http.site import DvrRequest
from flussdvr.web.media.admission import protocol_of, session_id


class Viewers:
    """Tells them apart, by a key of its own: nobody outside can say which id or token somebody will get."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(
        self, request: DvrRequest, parsed: MediaPath, config: Config, authority: Authority | None, grant: Grant | None
    ) -> Viewer:
        """DvrError DENIED for what can be no token."""
        ip = client_address(request, config.trusted_proxies)
        proto, agent = protocol_of(parsed), header(request, b"user-agent")
        token = parsed.parameter(config.auth_token) or ""
        if len(token) > MAX_TOKEN:
            raise DvrError(Kind.DENIED, "access_denied", "this is no token")
        settings = config.stream_for(parsed.name)
        names = {*config.session_keys, *((settings.session_keys or ()) if settings else ())}
        if authority is not None:
            names.update(authority.on_play.session_keys or ())
            token = token or self._made_token(parsed.name, ip, agent)
        headers = [name[7:].encode("latin-1", "replace") for name in sorted(names) if name.startswith("header.")]
        more = [header(request, name) for name in headers]
        if grant is None:
            id = session_id(self._key.hex(), parsed.name, ip, proto, token, *more)
        else:
            token = ""
            id = session_id("pass" + self._key.hex(), parsed.name, ip, proto, grant.key, agent, *more)
        query = request.uri.partition(b"?")[2].decode("latin-1")
        return Viewer(id, parsed.name, proto, ip, token, agent, header(request, b"referer"), query)

    def _made_token(self, name: str, ip: str, user_agent: str) -> str:
        return hmac.digest(self._key, "\0".join((name, ip, user_agent)).encode("utf-8", "replace"), "sha256").hex()[:40]


def header(request: DvrRequest, name: bytes) -> str:
    return (request.getHeader(name) or b"").decode("utf-8", "replace")
