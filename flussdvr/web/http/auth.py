# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Who may use the API.

    request --> address (api_allowed_from) --> credentials --> Account, may it edit?

    edit_auth USER PASSWORD     everything            Basic, or Bearer base64(user:password)
    view_auth USER PASSWORD     what only reads
    api_token NAME KEY          everything            Bearer KEY
    signed in to the web page   what the account may  cookie (`ui.signin`), looked at where no credentials are good

A password in the file may be a hash in the form of werkzeug.security (`scrypt:...$salt$hash`, `pbkdf2:...`). Secrets
are compared in constant time, every account is always looked at. Who guesses has few guesses: what an address shows
again is none, so that a program with a wrong password keeps nobody else out.  RFC 7617 (Basic), RFC 6750 (Bearer).
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import Protocol

from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from werkzeug.security import check_password_hash

from flussdvr.access.attempts import Attempts, TooMany
from flussdvr.caching.lru import Lru
from flussdvr.caching.single_flight import Shared
from flussdvr.config.model import Config, Credentials
from flussdvr.errors import DvrError, Kind
from flussdvr.logs.repeated import Repeated
from flussdvr.threads import Busy, ThreadWorker, Worker
from flussdvr.web.http.address import client_address, is_inside
from flussdvr.web.http.listeners import Listeners
from flussdvr.web.http.origin import check_origin, is_unasked
from flussdvr.web.http.site import DvrRequest

REALM = b'Basic realm="flussdvr", charset="UTF-8"'
REMEMBERED = 1000
CHECKS = 16
"""Hashed passwords that wait to be checked: with more, `busy`."""
READING = (b"GET", b"HEAD")
_HASHED = re.compile(r"(?:scrypt|pbkdf2)(?::[\w.-]+)*\$[^$]+\$[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks: `name` for the log; `edit`: may change things and see secrets."""

    name: str
    edit: bool


class Unauthorized(DvrError):
    """401: no credentials, or wrong ones."""

    def __init__(self, title: str, code: str = "authorization_failed") -> None:
        super().__init__(Kind.DENIED, code, title)

    @property
    def status(self) -> int:
        return 401


class SignIns(Protocol):
    def account(self, request: DvrRequest, changes: bool) -> Account | None:
        """
        Whose sign-in a request shows, `None` if it shows no good one.

        `changes`: it may change something. Raises `DvrError` DENIED where it was not the page that has sent it.
        """


class Gate:
    """
    The one gate of the API. `config()` is the configuration of this moment; `worker` checks hashed passwords; `clock`:
    seconds that only grow.
    """

    log = Logger()

    def __init__(
        self,
        config: Callable[[], Config],
        worker: Worker,
        sign_ins: SignIns | None = None,
        clock: Callable[[], float] = monotonic,
        listeners: Listeners | None = None,
    ) -> None:
        self._config = config
        self._worker = worker
        self._sign_ins = sign_ins
        self.listeners = listeners or Listeners()
        self._key = secrets.token_bytes(32)
        self._verified: dict[bytes, None] = {}
        self._checks: Shared[bytes, bool] = Shared()
        self._attempts = Attempts(clock)
        self._troubles = Repeated(self.log, clock)
        self._guesses: Lru[bytes, bool] = Lru(REMEMBERED)

    async def admit(self, request: DvrRequest, edit: bool) -> Account:
        """
        The account of a request that reads, or changes something (`edit`).

        DvrError: 401 `authorization_failed` without right credentials, 429 `too_many_attempts` after wrong ones, 403
        `not_allowed_from_here` from a foreign address, 403 `read_only_account` for a viewer who edits, 403
        `foreign_origin` for a form of another site, to which a browser has added the credentials that it remembers, 404
        on a listener with `api off`, 503 `busy` where too many passwords wait to be checked, and what `SignIns` raises.
        """
        config = self._config()
        self.check_place(request)
        account = await self._shown(config, request)
        if account is not None and is_unasked(request):
            check_origin(request, config.trusted_proxies)
        if account is None and self._sign_ins is not None:
            account = self._sign_ins.account(request, edit or request.method not in READING)
        if account is None:
            if request.getHeader("x-requested-with") is None:  # a page asks by itself, not by the browser's dialogue
                request.setHeader(b"www-authenticate", REALM)
            raise Unauthorized("the API needs the credentials of edit_auth or view_auth")
        if edit and not account.edit:
            raise DvrError(Kind.DENIED, "read_only_account", f"{account.name} may look, not change")
        return account

    def hides(self, request: DvrRequest) -> bool:
        """Whether a request came to a listener with `api off`."""
        return self.listeners.hide_api(self._config(), request.getHost())

    def check_place(self, request: DvrRequest) -> None:
        """DvrError NOT_FOUND or DENIED where neither the API nor a sign-in may be used, whoever asks."""
        config = self._config()
        if self.hides(request):
            raise DvrError(Kind.NOT_FOUND, "not_found", "there is no API here")
        if config.api_allowed_from:
            address = client_address(request, config.trusted_proxies)
            if not is_inside(address, config.api_allowed_from):
                raise DvrError(Kind.DENIED, "not_allowed_from_here", "the API may not be used from this address")

    async def _shown(self, config: Config, request: DvrRequest) -> Account | None:
        """The account whose credentials a request has with it."""
        authorization = request.getHeader("authorization")
        if authorization is None:
            return None
        address = client_address(request, config.trusted_proxies)
        text = f"{address}\0{authorization}".encode("utf-8", "surrogatepass")
        guess = hmac.digest(self._key, text, "sha256")
        if self._guesses.get(guess):
            return await self._account(config, authorization)
        try:
            self._attempts.begin(address)
        except TooMany as error:
            request.setHeader(b"retry-after", str(error.retry_after_s).encode())
            raise
        self._guesses.put(guess, True, 1)
        try:
            account = await self._account(config, authorization)
        except Busy:
            self._guesses.pop(guess)
            self._attempts.forget(address)
            raise
        if account is None:
            self._troubles.warn(address, "{address} has tried the API with wrong credentials", address=address)
        else:
            self._attempts.forget(address)
        return account

    async def _account(self, config: Config, authorization: str | None) -> Account | None:
        scheme, _, given = (authorization or "").partition(" ")
        found: Account | None = None
        if scheme.lower() == "bearer":
            for token in config.api_tokens:
                if _equal(given.strip(), token.key):
                    found = Account(token.name, True)
        if found is None and scheme.lower() in ("basic", "bearer") and (pair := _pair(given)) is not None:
            found = await self.known(config, *pair)
        return found

    async def known(self, config: Config, user: str, password: str) -> Account | None:
        """The account that these are the credentials of; the one that may edit if they are two's."""
        found: Account | None = None
        for credentials, edit in accounts(config):
            same = _equal(user, credentials.user)
            if await self._matches(password, credentials) and same and (found is None or edit):
                found = Account(credentials.user, edit)
        return found

    async def _matches(self, password: str, credentials: Credentials) -> bool:
        if not _HASHED.fullmatch(credentials.password):
            return _equal(password, credentials.password)
        proof = hmac.digest(self._key, f"{credentials.password}\0{password}".encode("utf-8", "surrogatepass"), "sha256")
        if proof in self._verified:
            return True
        return await self._checks.do(proof, lambda: self._check(proof, credentials.password, password))

    async def _check(self, proof: bytes, hashed: str, password: str) -> bool:
        good: bool = await self._worker.do(_hash_matches, hashed, password)
        if good:
            while len(self._verified) >= REMEMBERED:
                del self._verified[next(iter(self._verified))]
            self._verified[proof] = None
        return good


def password_worker(reactor: IReactorFromThreads) -> ThreadWorker:
    """A thread of its own for a `Gate`: who guesses passwords takes no other work's time, and of a core at most one."""
    return ThreadWorker(reactor, "passwords", CHECKS)


def accounts(config: Config) -> Iterator[tuple[Credentials, bool]]:
    """Who has a password, and may they edit?"""
    if config.edit_auth is not None:
        yield config.edit_auth, True
    if config.view_auth is not None:
        yield config.view_auth, False


def _pair(given: str) -> tuple[str, str] | None:
    try:
        user, colon, password = b64decode(given.strip(), validate=True).decode().partition(":")
    except (Base64Error, ValueError):
        return None
    return (user, password) if colon else None


def _hash_matches(hashed: str, password: str) -> bool:
    """In a worker: this takes a tenth of a second by design."""
    try:
        return check_password_hash(hashed, password)
    except ValueError:  # parameters that cannot be
        return False


def _equal(one: str, other: str) -> bool:
    """In constant time, whatever their lengths."""
    left, right = (sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (one, other))
    return hmac.compare_digest(left, right)
