"""
Who may watch, where `on_play auth://NAME` asks.

    auth_backend NAME { allow ip 10.0.0.0/8; deny ua "Mozilla/5.0 (X11)"; backend http://...; allow default; }
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flussdvr.config import doubts
from flussdvr.config.countries import COUNTRY
from flussdvr.config.errors import Misread, shown
from flussdvr.config.lexer import quote
from flussdvr.config.model import AuthBackendSettings
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


def read_auth_backend(directive: Directive, reading: Reading) -> AuthBackendSettings:
    rest = replace(directive, words=directive.words[1:])
    if rest.positional:
        raise surplus(rest, rest.positional[0])
    lists: dict[str, tuple[Any, ...]] = {}
    allow_default: list[bool] = []

    def read_verdict(statement: Directive, _: Reading) -> tuple[()]:
        verdict = statement.name.text
        no_block(statement)
        words = statement.words
        if len(words) == 1 and words[0].text == "default":
            allow_default.append(verdict == "allow")
            return ()
        if len(words) < 2 or words[0].text not in _SUBJECTS:
            raise Misread(f"expected {verdict} token|ip|country|ua VALUE or {verdict} default")
        name, kind = _SUBJECTS[words[0].text]
        if kind is COUNTRY:
            reading.need_geoip(words[0].place)
        key = f"{verdict}_{name}"
        values = tuple(read_value(kind, word) for word in words[1:])
        lists[key] = lists.get(key, ()) + values
        if kind is NETWORK and verdict == "allow":
            for word, value in zip(words[1:], values, strict=True):
                reading.doubt(word, value, doubts.everybody)
        return ()

    def read_backend(statement: Directive, _: Reading) -> tuple[str, ...]:
        return (str(read_value(HTTP_URL, the_word(statement, "a URL"))),)

    nothing = Rule("verdicts", read_verdict, lambda *_: [], repeated=True)
    backend = Rule("backends", read_backend, lambda *_: [], repeated=True)
    rules = {"allow": nothing, "deny": nothing, "backend": backend}
    values, _ = read_fields(rules, rest.fields, "auth_backend option", reading)
    values.pop("verdicts", None)
    if not any(key.startswith("allow_") for key in lists) and not values.get("backends") and True not in allow_default:
        reading.problems.warn(directive.place, f"{shown(directive.words[0].text)} lets nobody in", "say allow default;")
    return AuthBackendSettings(directive.words[0].text, **lists, **values, allow_default=True in allow_default)


def write_auth_backend(backend: AuthBackendSettings, writing: Writing) -> list[str]:
    lines = []
    for subject, (name, kind) in _SUBJECTS.items():
        for verdict in ("allow", "deny"):
            for value in getattr(backend, f"{verdict}_{name}"):
                lines.append(line(verdict, subject, quote(writing.secret(value) if kind.secret else kind.write(value))))
    lines += [line("backend", quote(url if writing.secrets else redact_url(url))) for url in backend.backends]
    lines += [line("allow", "default")] if backend.allow_default else []
    return block(f"auth_backend {quote(backend.name)}", lines)
