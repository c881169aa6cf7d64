"""
Who may watch, where `on_play auth://NAME` asks.

    auth_backend NAME { allow ip 10.0.0.0/8; deny ua "Mozilla/5.0 (X11)"; backend http://...; allow default; }
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flussdvr.config import doubts
from flussdvr.config.countries import COUNTRY
from flussdvr.config.errors import Misread, shown
from flussdvr.config.lexer import quote
from flussdvr.config.model import AuthBackendSettings
from flussdvr.config.options import Option, OptionKind, rules
from flussdvr.config.parser import Directive
from flussdvr.config.reading import (
    Reading,
    Rule,
    Writing,
    block,
    line,
    no_block,
    read_fields,
    read_value,
    surplus,
    the_word,
)
from flussdvr.config.values import HTTP_URL, NETWORK, Kind
from flussdvr.logs.redaction import redact_url

_SUBJECTS: Mapping[str, tuple[str, Kind]] = {
    "token": ("tokens", Kind(str, secret=True)),
    "ip": ("ips", NETWORK),
    "country": ("countries", COUNTRY),
    "ua": ("uas", Kind(str)),
}


@dataclass(frozen=True, slots=True)
class _Verdict:
    """`allow` or `deny` of values of a subject; no subject is `default`."""

    allows: bool
    subject: str | None = None
    values: tuple[Any, ...] = ()


def _read_verdict(statement: Directive, reading: Reading) -> tuple[_Verdict, ...]:
    verdict = statement.name.text
    allows = verdict == "allow"
    no_block(statement)
    words = statement.words
    if len(words) == 1 and words[0].text == "default":
        return (_Verdict(allows),)
    if len(words) < 2 or words[0].text not in _SUBJECTS:
        raise Misread(f"expected {verdict} token|ip|country|ua VALUE or {verdict} default")
    _, kind = _SUBJECTS[words[0].text]
    if kind is COUNTRY:
        reading.need_geoip(words[0].place)
    values = tuple(read_value(kind, word) for word in words[1:])
    if kind is NETWORK and allows:
        for word, value in zip(words[1:], values, strict=True):
            reading.doubt(word, value, doubts.everybody)
    return (_Verdict(allows, words[0].text, values),)


def _read_backend(statement: Directive, reading: Reading) -> tuple[str, ...]:
    return (str(read_value(HTTP_URL, the_word(statement, "a URL"))),)


_VERDICTS = OptionKind(
    "`token`, `ip`, `country` or `ua`, and values; or `default`; repeatable",
    lambda field: Rule(field, _read_verdict, lambda *_: [], repeated=True),
)
OPTIONS = (
    Option(
        "allow",
        "verdicts",
        _VERDICTS,
        "who may watch; `country`: codes of two letters, and `geoip` is needed. `allow default;`: who is not denied is "
        "allowed",
        "nobody",
    ),
    Option("deny", "verdicts", _VERDICTS, "who may not watch", "`default`"),
    Option(
        "backend",
        "backends",
        OptionKind(
            "`http://` or `https://`, repeatable",
            lambda field: Rule(field, _read_backend, lambda *_: [], repeated=True),
        ),
        "asked as `on_play` is",
        "none",
    ),
)
_RULES = rules(OPTIONS)


def read_auth_backend(directive: Directive, reading: Reading) -> AuthBackendSettings:
    rest = replace(directive, words=directive.words[1:])
    if rest.positional:
        raise surplus(rest, rest.positional[0])
    values, _ = read_fields(_RULES, rest.fields, "auth_backend option", reading)
    verdicts: tuple[_Verdict, ...] = values.pop("verdicts", ())
    lists: dict[str, tuple[Any, ...]] = {}
    for one in verdicts:
        if one.subject is not None:
            key = f"{'allow' if one.allows else 'deny'}_{_SUBJECTS[one.subject][0]}"
            lists[key] = lists.get(key, ()) + one.values
    allow_default = any(one.allows for one in verdicts if one.subject is None)
    if not any(one.allows for one in verdicts) and not values.get("backends"):
        reading.problems.warn(directive.place, f"{shown(directive.words[0].text)} lets nobody in", "say allow default;")
    return AuthBackendSettings(directive.words[0].text, **lists, **values, allow_default=allow_default)


def write_auth_backend(backend: AuthBackendSettings, writing: Writing) -> list[str]:
    lines = []
    for subject, (name, kind) in _SUBJECTS.items():
        for verdict in ("allow", "deny"):
            for value in getattr(backend, f"{verdict}_{name}"):
                lines.append(line(verdict, subject, quote(writing.secret(value) if kind.secret else kind.write(value))))
    lines += [line("backend", quote(url if writing.secrets else redact_url(url))) for url in backend.backends]
    lines += [line("allow", "default")] if backend.allow_default else []
    return block(f"auth_backend {quote(backend.name)}", lines)
