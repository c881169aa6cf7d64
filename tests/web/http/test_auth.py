from __future__ import annotations

from base64 import b64encode
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from werkzeug.security import generate_password_hash

from flussdvr.config import parse_config
from flussdvr.errors import DvrError
from flussdvr.threads import Busy, InlineWorker, MemoryWorker
from flussdvr.web.http.address import client_address
from flussdvr.web.http.auth import CHECKS, Account, Gate, password_worker

CONFIG = "edit_auth admin secret; view_auth viewer look; api_token robot 0123456789;"


class Request:
    def __init__(
        self,
        authorization: str | None = None,
        host: str = "192.0.2.1",
        port: int = 80,
        method: bytes = b"PUT",
        **headers: str,
    ):
        self.method = method
        self.headers = {**headers, **({"authorization": authorization} if authorization else {})}
        self.host, self.port = host, port
        self.answer: dict[bytes, bytes] = {}

    def getHeader(self, name: str) -> str | None:
        return self.headers.get(name.replace("-", "_"))

    def setHeader(self, name: bytes, value: bytes) -> None:
        self.answer[name] = value

    def getClientAddress(self) -> Any:
        return self

    def getHost(self) -> Any:
        return self


def admit(request: Any, edit: bool = True, config: str = CONFIG) -> Account:
    parsed = parse_config(config)
    results: list[Any] = []
    Deferred.fromCoroutine(Gate(lambda: parsed, InlineWorker()).admit(request, edit)).addBoth(results.append)
    if not isinstance(results[0], Account):
        results[0].raiseException()
    return results[0]


def basic(text: str, scheme: str = "Basic") -> str:
    return f"{scheme} {b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    "authorization",
    [basic("admin:secret"), basic("admin:secret", "Bearer"), basic("admin:secret", "bearer"), "Bearer 0123456789"],
)
def test_who_may_edit(authorization: str) -> None:
    assert admit(Request(authorization)).edit


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Bearer 012345678",
        "Basic 0123456789",
        basic("admin:wrong"),
        basic("admin:look"),
        basic("viewer:secret"),
        basic("admin"),
        basic(":"),
        "Digest x",
        "Basic \udcff",
    ],
)
def test_wrong_credentials_are_401(authorization: str | None) -> None:
    request = Request(authorization)
    with pytest.raises(DvrError) as raised:
        admit(request, False)
    assert raised.value.status == 401 and request.answer[b"www-authenticate"].startswith(b"Basic ")


def test_a_viewer_looks_and_does_not_edit() -> None:
    assert admit(Request(basic("viewer:look")), False) == Account("viewer", False)
    with pytest.raises(DvrError) as raised:
        admit(Request(basic("viewer:look")))
    assert (raised.value.status, raised.value.code) == (403, "read_only_account")


def test_nobody_is_let_in_where_nobody_is_configured() -> None:
    with pytest.raises(DvrError) as raised:
        admit(Request(basic(":")), False, "http 80;")
    assert raised.value.status == 401


@pytest.mark.parametrize("method", ["pbkdf2:sha256:1000", "scrypt:1024:8:1"])
def test_a_password_may_be_a_hash(method: str) -> None:
    config = f'edit_auth admin "{generate_password_hash("s3cret", method)}";'
    assert admit(Request(basic("admin:s3cret")), True, config).edit
    for wrong in ("admin:s3cre", "admin:" + generate_password_hash("s3cret", method)):
        with pytest.raises(DvrError):
            admit(Request(basic(wrong)), True, config)


def test_many_who_show_the_same_password_at_once_cost_one_look() -> None:
    config = parse_config(f'edit_auth admin "{generate_password_hash("s3cret", "scrypt:1024:8:1")}";')
    worker = MemoryWorker()
    gate, results = Gate(lambda: config, worker), []
    for _ in range(50):
        Deferred.fromCoroutine(gate.admit(Request(basic("admin:s3cret")), True)).addBoth(results.append)
    assert len(worker) == 1
    worker.step()
    assert results == [Account("admin", True)] * 50
    Deferred.fromCoroutine(gate.admit(Request(basic("admin:s3cret")), True)).addBoth(results.append)
    assert len(results) == 51 and not len(worker), "it is remembered"


def test_those_who_guess_wait_by_themselves() -> None:
    config = parse_config(f'edit_auth admin "{generate_password_hash("s3cret", "scrypt:1024:8:1")}";')
    delivered: list[Any] = []
    worker = password_worker(SimpleNamespace(callFromThread=delivered.append))
    results: list[Any] = []
    gate = Gate(lambda: config, worker)
    for number in range(CHECKS + 1):
        Deferred.fromCoroutine(gate.admit(Request(basic(f"admin:{number}"), f"192.0.2.{number}"), True)).addBoth(
            results.append
        )
    (refused,) = results
    assert refused.check(Busy) and refused.value.status == 503
    worker.stop()


def outcomes(gate: Gate, *requests: Request) -> list[str]:
    """Names of accounts, codes of refusals."""
    results: list[Any] = []
    for request in requests:
        Deferred.fromCoroutine(gate.admit(request, False)).addBoth(results.append)
    return [result.name if isinstance(result, Account) else result.value.code for result in results]


def test_who_guesses_has_few_guesses() -> None:
    config, clock = parse_config(CONFIG), Clock()
    gate = Gate(lambda: config, InlineWorker(), clock=clock.seconds)
    wrong, late, right = "authorization_failed", "too_many_attempts", Request(basic("admin:secret"))
    assert outcomes(gate, right, *[Request(basic("admin:old"))] * 30) == ["admin"] + [wrong] * 30, "one guess"
    guesses = [Request(basic(f"admin:{number}")) for number in range(9)]
    assert outcomes(gate, *guesses) == [wrong] * 9
    lucky = Request("Bearer 0123456789")
    assert outcomes(gate, lucky, Request(basic("admin:9"))) == [late, late], "nobody learns that it was the right one"
    assert int(lucky.answer[b"retry-after"]) == 60
    assert outcomes(gate, right, Request(), Request(basic("admin:old"))) == ["admin", wrong, wrong], "known before"
    assert outcomes(gate, Request("Bearer 0123456789", "192.0.2.2")) == ["robot"], "from elsewhere"
    clock.advance(60)
    assert outcomes(gate, lucky) == ["robot"]


def test_what_could_not_be_looked_at_was_no_guess() -> None:
    config = parse_config(f'edit_auth admin "{generate_password_hash("s3cret", "scrypt:1024:8:1")}";')

    class Full:
        def do(self, *work: Any) -> Any:
            raise Busy("passwords")

    worker: Any = Full()
    gate = Gate(lambda: config, worker)
    assert outcomes(gate, *(Request(basic(f"admin:{number}")) for number in range(30))) == ["busy"] * 30


@pytest.mark.parametrize("hashed", ["scrypt:3:8:1$salt$00", "pbkdf2:sha255:1$salt$00", "pbkdf2:sha256:x$salt$00"])
def test_a_hash_that_cannot_be_matches_nothing(hashed: str) -> None:
    with pytest.raises(DvrError) as raised:
        admit(Request(basic("admin:x")), True, f'edit_auth admin "{hashed}";')
    assert raised.value.status == 401


def test_only_from_allowed_addresses() -> None:
    config = CONFIG + "api_allowed_from 10.0.0.0/8; trusted_proxy 192.0.2.1;"
    good = basic("admin:secret")
    assert admit(Request(good, "10.1.2.3"), True, config).edit
    assert admit(Request(good, "::ffff:10.1.2.3"), True, config).edit
    assert admit(Request(good, "192.0.2.1", x_real_ip="10.1.2.3"), True, config).edit
    assert admit(Request(good, "192.0.2.1", x_forwarded_for="1.2.3.4, 10.1.2.3"), True, config).edit
    for request in (
        Request(good, "192.0.2.1"),
        Request(good, "192.0.2.2", x_real_ip="10.1.2.3"),
        Request(good, "192.0.2.1", x_real_ip="10.1.2.3.4"),
        Request(good, "192.0.2.1", x_forwarded_for="10.1.2.3, 1.2.3.4"),
    ):
        with pytest.raises(DvrError, match="not_allowed_from_here"):
            admit(request, True, config)
    assert client_address(Request(None, "/run/socket"), ()) == "/run/socket"  # type: ignore[arg-type]


def test_a_listener_may_hide_the_api() -> None:
    config = CONFIG + "http 80 { api off; } http 81;"
    with pytest.raises(DvrError) as raised:
        admit(Request(basic("admin:secret")), True, config)
    assert raised.value.status == 404
    assert admit(Request(basic("admin:secret"), port=81), True, config).edit


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; x"]
)
def test_a_form_of_another_site_with_the_credentials_that_a_browser_remembers(content_type: str) -> None:
    form = {"content_type": content_type} if content_type else {}
    foreign = Request(basic("admin:secret"), method=b"POST", origin="http://evil.example", **form)
    with pytest.raises(DvrError) as refused:
        admit(foreign)
    assert (refused.value.status, refused.value.code) == (403, "foreign_origin")
    assert admit(Request(basic("admin:secret"), method=b"POST", **form)).edit, "no browser"


def test_a_script_that_another_site_has_been_allowed_to_send() -> None:
    asked = Request(
        basic("admin:secret"), method=b"POST", origin="http://tool.example", content_type="application/json"
    )
    assert admit(asked).edit
