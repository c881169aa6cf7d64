# mypy: allow-untyped-calls, allow-untyped-decorators
# (twisted.web is not annotated, klein only in part)
"""
/ui/session: signing in to the web page, and out.

    POST {"user", "password"}   200, the cookie        401 wrong_password  429 too_many_attempts  403 no_accounts
    GET                         200, renewed in time   204 nobody is signed in
    DELETE                      204, ended

200 is {"user", "edit", "csrf", "expires_at" (ms), "server_version", "now" (ms)}.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import IResource

from flussdvr import __version__
from flussdvr.access.attempts import Attempts, TooMany
from flussdvr.config.model import Config
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import Busy
from flussdvr.web.api.router import Call, Router
from flussdvr.web.http.address import client_address
from flussdvr.web.http.auth import Gate, Unauthorized
from flussdvr.web.http.origin import check_origin
from flussdvr.web.http.site import DvrRequest
from flussdvr.web.ui.signin import SignIn, SignIns

SESSION = b"/ui/session"
MAX_TEXT = 1000
"""Characters of a user's name, and of a password."""

log = Logger()


def session_resource(
    sign_ins: SignIns,
    gate: Gate,
    config: Callable[[], Config],
    clock: IReactorTime,
    now_ms: Callable[[], int],
    on_end: Callable[[SignIn], object] = lambda sign_in: None,
) -> IResource:
    """`on_end` is told when somebody has signed out."""
    router = Router(gate, None, clock)
    attempts = Attempts(clock.seconds)
    path = SESSION.decode()

    def document(sign_in: SignIn) -> dict[str, Any]:
        return {
            "user": sign_in.user,
            "edit": sign_in.edit,
            "csrf": sign_ins.csrf(sign_in),
            "expires_at": sign_in.expires_ms,
            "server_version": __version__,
            "now": now_ms(),
        }

    def check_page(request: DvrRequest) -> None:
        """A page of another server must ask before it sends this header (CORS), and is not allowed it."""
        check_origin(request, config().trusted_proxies)
        if not request.getHeader("x-requested-with"):
            raise DvrError(Kind.DENIED, "not_from_the_page", "X-Requested-With is missing")

    @router.route(path, "POST", public=True, text=True)
    async def sign_in(call: Call) -> dict[str, Any]:
        request, now = call.request, config()
        gate.check_place(request)
        check_page(request)
        user, password = _credentials(request, call.body)
        if now.edit_auth is None and now.view_auth is None:
            raise DvrError(Kind.DENIED, "no_accounts", "the configuration has neither edit_auth nor view_auth")
        address = client_address(request, now.trusted_proxies)
        try:
            attempts.begin(address)
        except TooMany as error:
            request.setHeader(b"retry-after", str(error.retry_after_s).encode())
            raise
        try:
            account = await gate.known(now, user, password)
        except Busy:
            attempts.forget(address)
            raise
        if account is None:
            log.warn("{address} has tried to sign in with a wrong password", address=address)
            raise Unauthorized("the user or the password is wrong", "wrong_password")
        attempts.forget(address)
        begun = sign_ins.begin(account, now)
        sign_ins.give(request, begun)
        log.info("{user} has signed in from {address}", user=account.name, address=address)
        return document(begun)

    @router.get(path, public=True)
    async def show(call: Call) -> dict[str, Any] | None:
        gate.check_place(call.request)
        found = sign_ins.find(call.request)
        if found is None:
            return None  # no refusal: browsers complain of one in the console, and the page only asks
        renewed = sign_ins.renewed(found)
        if renewed is not found:
            sign_ins.give(call.request, renewed)
        return document(renewed)

    @router.route(path, "DELETE", public=True, text=True)
    async def sign_out(call: Call) -> None:
        gate.check_place(call.request)
        check_page(call.request)
        sign_ins.take(call.request)
        while (found := sign_ins.find(call.request)) is not None:
            await sign_ins.end(found)
            on_end(found)
            log.info("{user} has signed out", user=found.user)

    return router.resource()


def _credentials(request: DvrRequest, body: bytes | None) -> tuple[str, str]:
    """DvrError BAD_REQUEST."""
    content_type = (request.getHeader("content-type") or "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise DvrError(Kind.BAD_REQUEST, "bad_json", "Content-Type must be application/json")
    try:
        told = json.loads(body or b"")
        user, password = told["user"], told["password"]
    except (ValueError, RecursionError, TypeError, LookupError):
        raise DvrError(Kind.BAD_REQUEST, "bad_json", 'the body must be {"user", "password"}') from None
    if not (isinstance(user, str) and isinstance(password, str) and max(len(user), len(password)) <= MAX_TEXT):
        raise DvrError(Kind.BAD_REQUEST, "bad_request", f"user and password are texts of at most {MAX_TEXT} characters")
    return user, password
