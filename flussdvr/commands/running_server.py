# -*- test-case-name: tests.commands.test_running_server -*-
"""
A server that runs on this machine, for a command that can't do without it: asked over its own API.

    the configuration file --> http://127.0.0.1:PORT, edit_auth or api_token        or --server http://USER:PASSWORD@HOST
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from flussdvr.config.model import Config, Listener
from flussdvr.errors import DvrError, Kind

BASE = "/streamer/api/v3"
TIMEOUT_S = 60
LARGEST = 64 << 20
"""Bytes of an answer."""
_HASHED = re.compile(r"(?:scrypt|pbkdf2)\b[^$]*\$")
ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where it is and how to ask it; blocks, `TIMEOUT_S` at most for each answer."""

    host: str
    port: int
    tls: bool = False
    authorization: str | None = field(default=None, repr=False)
    path: str = BASE

    @classmethod
    def at(cls, url: str) -> RunningServer:
        """`http(s)://[USER:PASSWORD@]HOST[:PORT]`. DvrError BAD_REQUEST."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DvrError(Kind.BAD_REQUEST, "bad_url", "--server: expected http://USER:PASSWORD@HOST:PORT")
        authorization = None
        if parts.username is not None:
            authorization = _basic(unquote(parts.username), unquote(parts.password or ""))
        tls = parts.scheme == "https"
        return cls(parts.hostname, port or (443 if tls else 80), tls, authorization)

    @classmethod
    def of(cls, config: Config) -> RunningServer | None:
        """By its configuration file; `None` where that offers no API, or only hashes of passwords."""
        found = [(one, False) for one in config.http if one.api] + [(one, True) for one in config.https if one.api]
        local = sorted((pair for pair in found if pair[0].port), key=lambda pair: not _is_local(pair[0]))
        if not local:
            return None
        authorization = None
        if config.edit_auth is not None and not _HASHED.match(config.edit_auth.password):
            authorization = _basic(config.edit_auth.user, config.edit_auth.password)
        elif config.api_tokens:
            authorization = f"Bearer {config.api_tokens[0].key}"
        elif config.edit_auth is not None:
            return None
        listener, tls = local[0]
        return cls(ANYWHERE.get(listener.address, listener.address), listener.port, tls, authorization)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON of the answer, `None` if it has none. DvrError as the server says it, UNAVAILABLE."""
        connect = HTTPSConnection if self.tls else HTTPConnection
        connection = connect(self.host, self.port, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        try:
            connection.request(method, self.path + path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            data = response.read(LARGEST)
        except (OSError, HTTPException) as error:
            title = f"the server at {self.host}:{self.port} does not answer: {error or type(error).__name__}"
            raise DvrError(Kind.UNAVAILABLE, "no_answer", title) from error
        finally:
            connection.close()
        try:
            answer = json.loads(data) if data.strip() else None
        except (ValueError, RecursionError):
            answer = None
        if response.status >= 300:
            raise _refusal(response.status, answer)
        return answer

    def listed(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        """All pages of a list."""
        cursor: str | None = None
        while True:
            query = urlencode({"limit": 1000, **({"cursor": cursor} if cursor else {})})
            page = self.ask("GET", f"{path}?{query}")
            items = page.get(key) if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise DvrError(Kind.UNAVAILABLE, "no_answer", f"the server at {self.host}:{self.port} says no {key}")
            yield from items
            before, cursor = cursor, page.get("next")
            if not items or not cursor or cursor == before:
                return


def stream_path(name: str) -> str:
    """Of a stream in the API."""
    return f"/streams/{quote(name)}"


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


def _is_local(listener: Listener) -> bool:
    return listener.address in (*ANYWHERE, "::1") or listener.address.startswith("127.")


def _refusal(status: int, answer: Any) -> DvrError:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    title = str(first.get("title") or f"the server answers with the status {status}")
    if status in (401, 403):
        title = f"the server does not let us in ({title}): say --server http://USER:PASSWORD@HOST:PORT"
    return DvrError(Kind.CONFLICT, str(first.get("code") or f"http_{status}"), title)
