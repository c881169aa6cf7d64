"""
`on_play` and `on_publish`: who is asked whether somebody may watch or publish.

    on_play URL session_keys=ip,name any=thing;      in the file; what is no option of ours is told to the backend
    {"url", "session_keys", ..., "extra": {...}}     in documents; false is off
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flussdvr.config import doubts
from flussdvr.config.countries import COUNTRY
from flussdvr.config.documents import (
    Document,
    Field,
    mapping,
    object_schema,
    read_document,
    text,
    the_object,
    write_document,
)
from flussdvr.config.errors import Misread, nearest, shown
from flussdvr.config.lexer import quote
from flussdvr.config.model import AuthSettings
from flussdvr.config.options import SESSION_KEYS, SWITCH, Option, OptionKind, keys, rules, several, whole
from flussdvr.config.parser import Directive
from flussdvr.config.reading import (
    Reading,
    Rule,
    Writing,
    block,
    extra,
    line,
    read_fields,
    read_value,
    report,
    surplus,
    written,
)
from flussdvr.config.urls import read_scheme
from flussdvr.config.values import Kind, is_off
from flussdvr.logs.redaction import MASK, is_harmless, redact_url

TOKEN_PARAMETERS = ("no_check_ip",)
"""What may stand in the query of `securetoken://KEY`."""
_NOT_YET = ("lua", "securetoken")

OPTIONS = (
    Option("session_keys", "session_keys", SESSION_KEYS, "what makes a session", "the stream's"),
    Option("max_sessions", "max_sessions", whole(1, 1_000_000, "number"), "of one user at the same time", "no limit"),
    Option(
        "soft_limitation",
        "soft_limitation",
        SWITCH,
        "a viewer over the limit may go on for a while, so that a change of channel works",
        "off",
    ),
    Option(
        "allowed_countries",
        "allowed_countries",
        several(COUNTRY, "list of codes of two letters (ISO 3166-1)"),
        "viewers from elsewhere are refused without asking anybody. Needs `geoip`",
        "all",
    ),
    Option(
        "disallowed_countries",
        "disallowed_countries",
        several(COUNTRY, "the same as `allowed_countries`"),
        "viewers from there are refused. Needs `geoip`",
        "none",
    ),
)
_URL = Option("url", "url", OptionKind("", json=lambda field: Field(field, text)))
_EXTRA = Option("extra", "extra", OptionKind("", json=lambda field: Field(field, mapping, schema={"type": "object"})))
_RULES = rules(OPTIONS)
_FIELDS = keys((_URL, *OPTIONS, _EXTRA))
_UNSUPPORTED = {"domains": ""}


def authorization(*schemes: str) -> OptionKind:
    """Asked by URLs of these schemes."""

    def read(directive: Directive, reading: Reading) -> AuthSettings | None:
        words = directive.positional
        if not words:
            raise Misread(f"expected a URL after {shown(directive.name.text)}")
        if len(words) > 1:
            raise surplus(directive, words[1])
        if is_off(words[0].text) and not directive.fields:
            return None
        url = words[0].text
        scheme = read_value(Kind(lambda text: read_scheme(text, schemes, _NOT_YET)), words[0])
        backend = url.partition("://")[2]
        if scheme == "auth" and backend not in (known := reading.declared.get("auth_backend", set())):
            raise Misread(f"there is no auth_backend {shown(backend)}", words[0].place, nearest(backend, known))
        if scheme == "securetoken" and (doubt := doubts.parameter(url, TOKEN_PARAMETERS)) is not None:
            reading.problems.warn(words[0].place, *doubt)
        return _options(directive, reading, url, scheme)

    def read_json(value: Any) -> AuthSettings | None:
        if value is False:
            return None
        if isinstance(value, str):
            value = {"url": value}
        values = read_document(_FIELDS, the_object(value), {})
        if "url" not in values:
            raise Misread("a url is missing")
        read_scheme(values["url"], schemes, _NOT_YET)
        return AuthSettings(**values)

    return OptionKind(
        "URL with options, or `off`",
        lambda field: Rule(field, read, _write),
        lambda field: Field(field, read_json, _write_document, _mask, object_schema(_FIELDS, ["string", "boolean"])),
    )


def _options(directive: Directive, reading: Reading, url: str, scheme: str) -> AuthSettings:
    others: dict[str, str] = {}
    to = "it is told to the backend and changes nothing here" if scheme != "securetoken" else "it changes nothing"
    take = extra(others, reading, directive.name.text, _RULES, to)

    def other(option: Directive) -> None:
        if option.name.text in _UNSUPPORTED:
            report(option, "option", (), _UNSUPPORTED, reading.problems)
        else:
            take(option)

    values, places = read_fields(_RULES, directive.fields, "option", reading, other=other)
    for countries in places.keys() & {"allowed_countries", "disallowed_countries"}:
        reading.need_geoip(places[countries])
    return AuthSettings(url, **values, extra=others)


def _write(name: str, value: AuthSettings | None, writing: Writing) -> list[str]:
    if value is None:
        return [line(name, "off")]
    lines = written(_RULES, value, AuthSettings(""), replace(writing, defaults=False))
    lines += [line(key, quote(writing.extra(key, text))) for key, text in value.extra.items()]
    return block(line(name, quote(writing.url(value.url)))[:-1], lines)


def _write_document(value: AuthSettings | None) -> Document | None:
    if value is None:
        return None
    return {key: one for key, one in write_document(_FIELDS, value, True).items() if one not in ({}, False)}


def _mask(shown: Document) -> Document:
    others = mask_extra(shown.get("extra", {}))
    return {**shown, "url": redact_url(shown["url"]), **({"extra": others} if others else {})}


def mask_extra(shown: Mapping[str, Any]) -> Document:
    """What is for somebody else may be anything: only what has a harmless name is shown."""
    return {key: one if is_harmless(key) and "://" not in str(one) else MASK for key, one in shown.items()}
