# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
Sign-ins: who has shown a password before, and proves it by a cookie.

    password --> SignIn: id, user, may they edit?, digest of their credentials, expiry
    SignIn   --> cookie: base64(JSON).base64(HMAC), so that the server keeps nothing of it, and a restart ends none
    cookie   --> is it ours? not expired? not ended by signing out? the account and its password still the same?

Whoever may use the page's cookie is proved by it; that it was the page who has sent a request is proved by `csrf`, a
second value that only the page knows, as browsers send cookies unasked.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace

from flussdvr.access.grant import Grant
from flussdvr.config.model import Config, Credentials
from flussdvr.database.subjects import SignOuts
from flussdvr.errors import DvrError, Kind
from flussdvr.process.secret import Secret
from flussdvr.urls.values import MediaPath
from flussdvr.web.http.auth import Account, Gate, accounts
from flussdvr.web.http.origin import check_origin, is_https
from flussdvr.web.http.site import DvrRequest
from flussdvr.web.ui.cookies import cookies, set_cookie

COOKIE = "flussdvr_session"
MAX_COOKIE = 4096


@dataclass(frozen=True, slots=True)
class SignIn:
    """`digest`: of the account's credentials; `expires_ms`: UTC."""

    id: str
    user: str
    edit: bool
    digest: str
    expires_ms: int

    @property
    def key(self) -> str:
        """The key of the viewer's sessions (`Grant.key`)."""
        return f"sign-in {self.id}"


class SignIns:
    """
    `config()`: the configuration of this moment; `secret`: the server's; `sign_outs` remembers who has signed out;
    `now_ms`: the wall clock.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        secret: Secret,
        sign_outs: SignOuts,
        now_ms: Callable[[], int],
        trusts_clock: Callable[[], bool] = lambda: True,
    ) -> None:
        self._config = config
        self._sign_outs = sign_outs
        self._now_ms = now_ms
        self._trusts_clock = trusts_clock
        self._ended: dict[str, int] = {}
        self.use(secret)

    def use(self, secret: Secret) -> None:
        """From now on: sign-ins by another are none any more."""
        self._cookie_key, self._csrf_key, self._credentials_key = (
            secret.derive(purpose) for purpose in ("sign-in: cookie", "sign-in: csrf", "sign-in: credentials")
        )

    async def load(self) -> None:
        """Before anybody is let in. DvrError UNAVAILABLE without the catalog."""
        self._ended |= await self._sign_outs.all(self._over_ms())

    def _over_ms(self) -> int:
        """What was ended until then may be forgotten. A wrong clock must not make a sign-in good again."""
        return self._now_ms() if self._trusts_clock() else 0

    def begin(self, account: Account, config: Config) -> SignIn:
        """For somebody whose password was checked against this `config`."""
        digests = [self._digest(one, edit) for one, edit in accounts(config) if Account(one.user, edit) == account]
        expires_ms = self._now_ms() + config.sign_in_lifetime_s * 1000
        return SignIn(secrets.token_urlsafe(16), account.name, account.edit, digests[0], expires_ms)

    def find(self, request: DvrRequest) -> SignIn | None:
        """The first good one that a request shows."""
        for value in cookies(request, COOKIE.encode()):
            sign_in = self._read(value)
            if sign_in is not None and self._holds(sign_in):
                return sign_in
        return None

    def renewed(self, sign_in: SignIn) -> SignIn:
        """The same, for longer if half of its time is over."""
        now, lifetime_ms = self._now_ms(), self._config().sign_in_lifetime_s * 1000
        if sign_in.expires_ms - now > lifetime_ms // 2:
            return sign_in
        return replace(sign_in, expires_ms=now + lifetime_ms)

    async def end(self, sign_in: SignIn) -> None:
        """It is good for nothing any more, nor is any copy of it. DvrError UNAVAILABLE if that may be forgotten."""
        now = self._now_ms()
        until_ms = max(sign_in.expires_ms, now + self._config().sign_in_lifetime_s * 1000)
        over_ms = self._over_ms()
        self._ended = {id: ms for id, ms in self._ended.items() if ms > over_ms}
        self._ended[sign_in.id] = until_ms
        await self._sign_outs.add(sign_in.id, until_ms)

    def csrf(self, sign_in: SignIn) -> str:
        """What the page shows beside the cookie when it wants something changed."""
        return _text(hmac.digest(self._csrf_key, sign_in.id.encode(), "sha256"))

    def account(self, request: DvrRequest, changes: bool) -> Account | None:
        """As `auth.SignIns`. DvrError: 403 `foreign_origin`, `csrf_token_wrong`."""
        sign_in = self.find(request)
        if sign_in is None:
            return None
        if changes:
            check_origin(request, self._config().trusted_proxies)
            shown = (request.getHeader("x-csrf-token") or "").encode("utf-8", "replace")
            if not hmac.compare_digest(shown, self.csrf(sign_in).encode()):
                raise DvrError(Kind.DENIED, "csrf_token_wrong", "X-CSRF-Token is missing or wrong")
        return Account(sign_in.user, sign_in.edit)

    # -- the cookie ---------------------------------------------------------------------------------------------------

    def give(self, request: DvrRequest, sign_in: SignIn) -> None:
        """Let the browser keep it."""
        left_s = max(0, sign_in.expires_ms - self._now_ms()) // 1000
        self._set_cookie(request, self._write(sign_in), left_s)

    def take(self, request: DvrRequest) -> None:
        """Let the browser forget it."""
        self._set_cookie(request, "", 0)

    def _set_cookie(self, request: DvrRequest, value: str, max_age_s: int) -> None:
        set_cookie(request, COOKIE, value, max_age_s, is_https(request, self._config().trusted_proxies))

    def _write(self, sign_in: SignIn) -> str:
        payload = _text(json.dumps(astuple(sign_in), separators=(",", ":")).encode())
        return f"{payload}.{self._proof(payload.encode())}"

    def _read(self, value: bytes) -> SignIn | None:
        payload, _, proof = value.rpartition(b".")
        if len(value) > MAX_COOKIE or not hmac.compare_digest(proof, self._proof(payload).encode()):
            return None
        return SignIn(*json.loads(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))))

    def _proof(self, payload: bytes) -> str:
        return _text(hmac.digest(self._cookie_key, payload, "sha256"))

    def _holds(self, sign_in: SignIn) -> bool:
        if self._now_ms() >= sign_in.expires_ms or sign_in.id in self._ended:
            return False
        return any(
            Account(one.user, edit) == Account(sign_in.user, sign_in.edit)
            and hmac.compare_digest(self._digest(one, edit), sign_in.digest)
            for one, edit in accounts(self._config())
        )

    def _digest(self, credentials: Credentials, edit: bool) -> str:
        """Another password, or another right, is another digest."""
        text = json.dumps([credentials.user, credentials.password, edit])
        return _text(hmac.digest(self._credentials_key, text.encode(), "sha256")[:16])


class SignedIn:
    """A pass of the viewers' gate: whoever is signed in may watch everything, where they might use the API."""

    def __init__(self, sign_ins: SignIns, gate: Gate) -> None:
        self._sign_ins = sign_ins
        self._gate = gate

    async def grant(self, request: DvrRequest, parsed: MediaPath) -> Grant | None:
        """As `Pass`. A browser shows its cookie unasked: one that is not good counts as not shown."""
        sign_in = self._sign_ins.find(request)
        if sign_in is None:
            return None
        try:
            self._gate.check_place(request)
        except DvrError:
            return None
        request.facts.private = True  # its URL is that of everybody, the cookie is not
        return Grant(sign_in.key, sign_in.user, sign_in.expires_ms)


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
