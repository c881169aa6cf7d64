from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flussdvr.access.publishers import PublishersGate
from flussdvr.access.verdict import BackendFailed, Reply
from flussdvr.config.model import AuthBackendSettings, AuthSettings, Config


class Backend:
    def __init__(self, reply: Reply | None) -> None:
        self.reply = reply
        self.posted: list[tuple[str, dict[str, str]]] = []

    async def post(self, url: str, parameters: Any) -> Reply:
        self.posted.append((url, dict(parameters)))
        if self.reply is None:
            raise BackendFailed("refused")
        return self.reply


def why_not(on_publish: AuthSettings, backend: Backend, *lists: AuthBackendSettings) -> str | None:
    config = Config(auth_backends={one.name: one for one in lists})
    gate = PublishersGate(lambda: config, backend, lambda: 0, {"2001:db8::1": "AT"}.get)
    asking = gate.permit(on_publish, "ort", "rtmp", "[2001:db8::1]:5", "secret")
    return SynchronousTestCase().successResultOf(Deferred.fromCoroutine(asking))


def test_what_is_posted() -> None:
    backend = Backend(Reply(200, {}))
    assert why_not(AuthSettings("http://x/", extra={"site": "7"}), backend) is None
    url, told = backend.posted[0]
    assert url == "http://x/"
    expected = {"name": "ort", "proto": "rtmp", "ip": "2001:db8::1", "token": "secret", "site": "7", "country": "AT"}
    assert expected.items() <= told.items()


@pytest.mark.parametrize("reply", [Reply(403, {}), Reply(302, {"location": "http://y/"}), Reply(500, {}), None])
def test_everything_else_forbids(reply: Reply | None) -> None:
    assert why_not(AuthSettings("http://x/"), Backend(reply)) is not None


def test_countries() -> None:
    assert why_not(AuthSettings("http://x/", allowed_countries=("AT",)), Backend(Reply(200, {}))) is None
    refused = Backend(Reply(200, {}))
    assert why_not(AuthSettings("http://x/", disallowed_countries=("AT",)), refused) is not None
    assert not refused.posted


def test_lists() -> None:
    people = AuthBackendSettings("people", allow_tokens=("secret",))
    assert why_not(AuthSettings("auth://people"), Backend(None), people) is None
    assert why_not(AuthSettings("auth://people"), Backend(None)) is not None
    assert why_not(AuthSettings("auth://open"), Backend(None), AuthBackendSettings("open", allow_default=True)) is None
