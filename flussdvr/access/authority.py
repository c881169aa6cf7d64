"""
Who decides about a viewer: what `on_play` names.

    http(s)://URL          the backend
    securetoken://KEY      the token itself: sha1hex(name ip start end KEY salt)-salt-end-start
    auth://NAME            an auth_backend: its lists, then its backends

Secrets are compared in constant time.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha1
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from flussdvr.access.backend import Parameters
from flussdvr.access.verdict import DURATION_S, BackendFailed, Reply, Verdict, denied, read_verdict
from flussdvr.config.model import AuthBackendSettings, AuthSettings, IPNetwork
from flussdvr.logs.redaction import redact_url

log = Logger()

NO_IP = "no_check_ip"
MAX_TOKEN = 4096


class Backend(Protocol):
    async def ask(self, url: str, parameters: Parameters) -> Reply:
        """Raises `BackendFailed`."""
        ...


@dataclass(frozen=True, slots=True)
class Authority:
    """`on_play` with all that it refers to; two that are equal decide alike."""

    on_play: AuthSettings
    lists: AuthBackendSettings | None = None

    @property
    def allow_default(self) -> bool:
        """Whether a new viewer gets in while no backend answers."""
        return self.lists is not None and self.lists.allow_default


@dataclass(frozen=True, slots=True)
class Question:
    """
    About one viewer. `parameters`: what a backend is told. `country`: "" for an address that is in none, `None` if it
    can't be known.
    """

    name: str
    ip: str
    token: str
    user_agent: str
    parameters: tuple[tuple[str, str], ...] = ()
    country: str | None = None


async def decide(authority: Authority, question: Question, backend: Backend, now_ms: Callable[[], int]) -> Verdict:
    """Raises `BackendFailed` where nobody has decided."""
    on_play = authority.on_play
    if _is_foreign(on_play, question.country):
        return denied("country_not_allowed", "this may not be watched where you are")
    scheme, _, rest = on_play.url.partition("://")
    match scheme.lower():
        case "securetoken":
            return secure_token(rest, question, now_ms(), on_play.max_sessions)
        case "auth" if authority.lists is not None and authority.lists.name == rest:
            return await _lists(authority.lists, on_play, question, backend)
        case "http" | "https":
            return await _ask(on_play.url, on_play, question, backend)
    return denied("access_denied", "nobody may watch this: its authorization is not understood")


async def _ask(url: str, on_play: AuthSettings, question: Question, backend: Backend) -> Verdict:
    try:
        reply = await backend.ask(url, [*question.parameters, *on_play.extra.items()])
        return read_verdict(reply, on_play.max_sessions)
    except BackendFailed as failure:
        log.warn(
            "{url} does not decide about a viewer of {name}: {why}",
            url=redact_url(url).partition("?")[0],
            name=question.name,
            why=str(failure),
        )
        raise


def _is_foreign(on_play: AuthSettings, country: str | None) -> bool:
    """Whether nobody from there may watch, whoever they are. Where it can't be known, nobody may."""
    if on_play.allowed_countries and country not in on_play.allowed_countries:
        return True
    return bool(on_play.disallowed_countries) and (country is None or country in on_play.disallowed_countries)


# -- secure tokens ----------------------------------------------------------------------------------------------------


def secure_token(rest: str, question: Question, now_ms: int, max_sessions: int | None = None) -> Verdict:
    """Whether a token is good: of this key, stream and address, and of this moment."""
    key, _, options = rest.partition("?")
    unchecked = parse_qs(options).get("no_check_ip", ["false"])[-1].lower() in ("true", "1", "")
    parts = question.token.split("-")
    refused = denied("access_denied", "the token is not good for this")
    if not key or len(parts) != 4 or len(question.token) > MAX_TOKEN:
        return refused
    given, salt, end, start = parts
    right = secure_hash(question.name, NO_IP if unchecked else question.ip, start, end, key, salt)
    if not hmac.compare_digest(given.lower().encode("utf-8", "surrogatepass"), right.encode()):
        return refused
    if not (_is_time(start) and _is_time(end)):
        return refused
    if now_ms < int(start) * 1000:
        return denied("token_not_yet_valid", "the token is not valid yet", 1)
    left_s = int(end) - now_ms / 1000
    if left_s <= 0:
        return denied("token_expired", "the token has expired")
    return Verdict(True, min(DURATION_S, left_s), max_sessions=max_sessions)


def secure_hash(name: str, ip: str, start: str, end: str, key: str, salt: str) -> str:
    text = f"{name}{ip}{start}{end}{key}{salt}"
    return sha1(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_time(text: str) -> bool:
    """Whether it has ten digits: the hash has no separators, so with other lengths digits could move between parts."""
    return text.isascii() and text.isdigit() and len(text) == 10


# -- auth_backend -----------------------------------------------------------------------------------------------------


async def _lists(lists: AuthBackendSettings, on_play: AuthSettings, question: Question, backend: Backend) -> Verdict:
    """
    allow token, deny token, allow ip, deny ip, allow country, deny country, allow ua, deny ua, backends, default.

    Where it can't be known in which country an address is, none is allowed by its name, and a list of denied ones
    denies all.
    """
    inside = _address(question.ip)
    steps = (
        (_has(lists.allow_tokens, question.token), True),
        (_has(lists.deny_tokens, question.token), False),
        (_inside(inside, lists.allow_ips), True),
        (_inside(inside, lists.deny_ips), False),
        (question.country in lists.allow_countries, True),
        (bool(lists.deny_countries) and (question.country is None or question.country in lists.deny_countries), False),
        (_agent(lists.allow_uas, question.user_agent), True),
        (_agent(lists.deny_uas, question.user_agent), False),
    )
    for found, allowed in steps:
        if found:
            return Verdict(allowed, max_sessions=on_play.max_sessions)
    if lists.backends:
        verdict = await _any(lists.backends, on_play, question, backend)
        if verdict is not None:
            return verdict
        raise BackendFailed("no backend answers")
    return Verdict(lists.allow_default, max_sessions=on_play.max_sessions)


async def _any(urls: Iterable[str], on_play: AuthSettings, question: Question, backend: Backend) -> Verdict | None:
    """All at once: one that allows is enough, then one that denies; `None` if none has decided."""

    async def one(url: str) -> Verdict | None:
        try:
            return await _ask(url, on_play, question, backend)
        except BackendFailed:
            return None

    answers: Any = await gatherResults([Deferred.fromCoroutine(one(url)) for url in urls], consumeErrors=True)
    decided = [answer for answer in answers if answer is not None]
    order = sorted(decided, key=lambda verdict: (not verdict.allowed, verdict.location is None))
    return order[0] if order else None


def _has(secrets: Iterable[str], given: str) -> bool:
    """All are compared, whichever is right."""
    wanted = sha1(given.encode("utf-8", "surrogatepass")).digest()
    found = [hmac.compare_digest(sha1(one.encode("utf-8", "surrogatepass")).digest(), wanted) for one in secrets]
    return any(found)


def _address(text: str) -> Any:
    try:
        address: Any = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _inside(address: Any, networks: Iterable[IPNetwork]) -> bool:
    return address is not None and any(address in network for network in networks)


def _agent(agents: Iterable[str], given: str) -> bool:
    """By what it begins with: versions follow."""
    return any(agent and given.startswith(agent) for agent in agents)
