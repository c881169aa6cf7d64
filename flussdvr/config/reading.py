"""
From directives to values: a table of rules says for each name which field it sets, how it is read and how written.

The same table reads a block, the options of a line and, backwards, prints the effective configuration; so what
can be said can be shown, and a new option is one line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flussdvr.config.doubts import Doubt, passed_along
from flussdvr.config.errors import Misread, Place, Problems, shown
from flussdvr.config.lexer import Word, is_key, quote, quote_value
from flussdvr.config.model import AuthBackendSettings, DvrSettings
from flussdvr.config.parser import Directive
from flussdvr.config.values import BOOLEAN, TEXT, Kind, is_off, split
from flussdvr.logs.redaction import MASK, is_harmless, is_secret_name, redact_text


@dataclass(slots=True)
class Reading:
    """What reading one directive needs to know of the others."""

    problems: Problems
    base: str = "."
    dvrs: dict[str, DvrSettings] = field(default_factory=dict)
    auth_backends: dict[str, AuthBackendSettings] = field(default_factory=dict)
    declared: dict[str, set[str]] = field(default_factory=dict)
    has_geoip: bool = False
    filtered: list[tuple[Place, str, str]] = field(default_factory=list)
    """What the filters of event sinks say, key and pattern; looked at when all streams are known."""

    def need_geoip(self, place: Place) -> None:
        """Countries without a database that knows them match nobody, which is not what who wrote them means."""
        if not self.has_geoip:
            self.problems.error(place, "countries need a database", "say geoip FILE; for the whole server")

    def doubt(self, word: Word, value: Any, doubt: Doubt | None) -> None:
        """A warning if `doubt` has one of a word that was read as `value`."""
        if doubt is not None and value is not None and (sentence := doubt(word.text, value)) is not None:
            self.problems.warn(word.place, sentence)

    def path(self, text: str) -> str:
        """An absolute path; a relative one is under the working directory of the server."""
        if not text or not text.isprintable():
            raise Misread(f"expected a path of characters that can be seen, found {text[:60]!a}")
        return os.path.abspath(os.path.join(self.base, text))


@dataclass(frozen=True, slots=True)
class Writing:
    """How to print: with or without secrets, with or without what is default anyway."""

    secrets: bool = False
    defaults: bool = False
    dvrs: Mapping[str, DvrSettings] = field(default_factory=dict)

    def secret(self, text: str) -> str:
        return text if self.secrets else MASK

    def url(self, text: str) -> str:
        return text if self.secrets else redact_text(text)

    def options(self, options: Mapping[str, str]) -> list[str]:
        return [f"{key}={quote_value(self.named(key, value))}" for key, value in options.items()]

    def named(self, key: str, value: str) -> str:
        """The value of an option of ours."""
        return MASK if is_secret_name(key) and not self.secrets else self.url(value)

    def extra(self, key: str, value: str) -> str:
        """The value of a setting that is for somebody else, and may be anything."""
        return value if self.secrets or (is_harmless(key) and "://" not in value) else MASK


@dataclass(frozen=True, slots=True)
class Rule:
    """
    `read` makes the field's value of a directive, raising Misread; `write` gives lines of the file, without their
    `;` where they are blocks. A `repeated` rule reads a tuple each time, and the field is all of them in order.
    """

    field: str
    read: Callable[[Directive, Reading], Any]
    write: Callable[[str, Any, Writing], list[str]]
    repeated: bool = False


Rules = Mapping[str, Rule]

ACCESS = frozenset(
    "on_play on_publish auth domains allowed_countries disallowed_countries nopublish publish_enabled rpc_auth drm "
    "drm_keyserver allow_if deny_if dash_off hds_off hls_off mpegts_off rtsp_off rtmp_off mss_off webrtc_off "
    "api_off".split()
)
"""What restricts access is never passed over, not even under `lenient;`: that would open what was closed."""


def read_fields(
    rules: Rules,
    directives: Iterable[Directive],
    what: str,
    reading: Reading,
    unsupported: Mapping[str, str] | None = None,
    other: Callable[[Directive], None] | None = None,
) -> tuple[dict[str, Any], dict[str, Place]]:
    """
    The fields that `directives` set, and the place of each, also of those that could not be read.

    `unsupported` names what is known but not done, with what to do instead; `other` takes every further name.
    """
    values: dict[str, Any] = {}
    places: dict[str, Place] = {}
    for directive in directives:
        name = directive.name.text
        rule = rules.get(name)
        if rule is None and other is None:
            report(directive, what, rules, unsupported or {}, reading.problems)
            continue
        first = places.setdefault(rule.field, directive.place) if rule else directive.place
        if rule and first is not directive.place and not rule.repeated:
            reading.problems.error(directive.place, f"{shown(name)} is given twice", f"first at {first}")
            continue
        try:
            if rule is None:
                assert other is not None
                other(directive)
            elif rule.repeated:
                values.setdefault(rule.field, []).extend(rule.read(directive, reading))
            else:
                values[rule.field] = rule.read(directive, reading)
        except Misread as misread:
            reading.problems.error(misread.place or directive.place, misread.message, misread.hint)
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}, places


def report(
    directive: Directive, what: str, known: Iterable[str], unsupported: Mapping[str, str], problems: Problems
) -> None:
    """A directive that no rule reads."""
    name = directive.name.text
    if name in unsupported and name in ACCESS:
        hint = unsupported[name] or "it restricts access, so it is not passed over under lenient either"
        problems.error(directive.place, f"{shown(name)} is not supported yet", hint)
    elif name in unsupported:
        problems.unsupported(directive.place, f"{shown(name)} is not supported yet", unsupported[name] or None)
    else:
        problems.unknown(directive.place, what, name, [*known, *unsupported])


def read_value(kind: Kind, word: Word) -> Any:
    """One word; Misread knows its place."""
    try:
        return kind.read(word.text)
    except Misread as misread:
        raise Misread(misread.message, misread.place or word.place, misread.hint) from None


def surplus(directive: Directive, word: Word) -> Misread:
    """A word too many; if it begins a line of its own, a forgotten `;` is the likely cause."""
    before = directive.place
    for candidate in directive.words:
        if candidate.place == word.place:
            break
        before = candidate.place
    forgotten = word.place.line > before.line
    hint = f"is ';' missing at the end of line {before.line}?" if forgotten else None
    return Misread(f"{shown(directive.name.text)} does not take {shown(word.text)} here", word.place, hint)


def no_block(directive: Directive) -> None:
    if directive.block is not None:
        raise Misread(f"{shown(directive.name.text)} takes no block", hint="expected ';'")


def the_word(directive: Directive, what: str = "a value") -> Word:
    """The only word of the directive."""
    no_block(directive)
    if not directive.words:
        raise Misread(f"expected {what} after {shown(directive.name.text)}")
    if len(directive.words) > 1:
        raise surplus(directive, directive.words[1])
    return directive.words[0]


def line(name: str, *words: str) -> str:
    return " ".join((name, *words)) + ";"


def block(head: str, lines: Iterable[str]) -> list[str]:
    """Lines of a block, or a plain directive where it would be empty."""
    body = ["  " + each for each in lines]
    return [head + " {", *body, "}"] if body else [head + ";"]


def simple(name: str, kind: Kind = TEXT, off: bool = False, doubt: Doubt | None = None) -> Rule:
    """`name value;`, with `off` also `name off;` for None. `doubt` may warn of a value that is hardly meant."""

    def read(directive: Directive, reading: Reading) -> Any:
        word = the_word(directive)
        value = None if off and is_off(word.text) else read_value(kind, word)
        reading.doubt(word, value, doubt)
        return value

    def write(called: str, value: Any, writing: Writing) -> list[str]:
        if value is None:
            return [line(called, "off")] if off else []
        text = kind.write(value)
        return [line(called, quote(writing.secret(text) if kind.secret else writing.url(text)))]

    return Rule(name, read, write)


def flag(name: str) -> Rule:
    """`name;`, `name on;`, `name off;`."""

    def read(directive: Directive, reading: Reading) -> bool:
        return bool(read_value(BOOLEAN, the_word(directive))) if directive.words or directive.block else True

    def write(called: str, value: bool, writing: Writing) -> list[str]:
        return [line(called) if value else line(called, "off")]

    return Rule(name, read, write)


def path(name: str) -> Rule:
    def read(directive: Directive, reading: Reading) -> str:
        word = the_word(directive, "a path")
        try:
            return reading.path(word.text)
        except Misread as misread:
            raise Misread(misread.message, word.place) from None

    return Rule(name, read, lambda called, value, writing: [line(called, quote(value))] if value else [])


def listed(name: str, kind: Kind = TEXT, repeated: bool = False, doubt: Doubt | None = None) -> Rule:
    """`name a b;` or `name a,b;`."""

    def read(directive: Directive, reading: Reading) -> tuple[Any, ...]:
        no_block(directive)
        words = [Word(part, word.place) for word in directive.words for part in split([word.text])]
        values = tuple(read_value(kind, word) for word in words)
        for word, value in zip(words, values, strict=True):
            reading.doubt(word, value, doubt)
        if not values:
            raise Misread(f"expected a list after {shown(directive.name.text)}")
        return values

    def write(called: str, value: tuple[Any, ...] | None, writing: Writing) -> list[str]:
        return [line(called, *(quote(kind.write(v)) for v in value))] if value else []

    return Rule(name, read, write, repeated)


def mapping(name: str) -> Rule:
    """`name key=value key=value;`."""

    def read(directive: Directive, reading: Reading) -> dict[str, str]:
        no_block(directive)
        for word in directive.words:
            if word.key is None:
                raise Misread(f"expected key=value, found {shown(word.text)}", word.place)
        return {word.key.text: word.value.text for word in directive.words if word.key}

    def write(called: str, value: Mapping[str, str], writing: Writing) -> list[str]:
        return [line(called, *writing.options(value))]

    return Rule(name, read, write)


def extra(
    into: dict[str, str], reading: Reading, what: str, known: Iterable[str], to: str
) -> Callable[[Directive], None]:
    """Takes any `key value;` or `key=value`, for what is passed along as it is (`to`: where, in words); warns of it."""

    def take(directive: Directive) -> None:
        key = directive.name.text
        if not is_key(key):
            raise Misread(f"{shown(key)} cannot be the name of an option")
        if key in into:
            raise Misread(f"{shown(key)} is given twice")
        into[key] = the_word(directive).text if directive.words or directive.block else "true"
        reading.problems.warn(directive.place, *passed_along(key, what, known, to))

    return take


def written(
    rules: Rules, value: Any, defaults: Any, writing: Writing, over: Mapping[str, Any] | None = None
) -> list[str]:
    """
    The lines for the fields of `value` that are not as in `defaults` (both: objects with the rules' fields).

    `over` are values that the lines are read on top of: what differs from them is written even where it is default.
    """
    lines: list[str] = []
    done: set[str] = set()
    for name, rule in rules.items():
        if rule.field in done:
            continue
        done.add(rule.field)
        mine, default = getattr(value, rule.field), getattr(defaults, rule.field)
        if writing.defaults or mine != default or mine != (over or {}).get(rule.field, mine):
            lines += rule.write(name, mine, writing)
    return lines
