"""
Options: what can be set, said once for the file's grammar, for the API's documents and their schema, and for
docs/configuration.md.

    Option("segment_count", "segment_count", whole(2, 1000), "segments in the live playlist", "`4`")
            name             field            kind            meaning                          default

    rules(options)     name -> Rule      how the file says them, by the older names too
    keys(options)      key -> Field      how documents do
    aliases(options)   older key -> key
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flussdvr.config import doubts, values
from flussdvr.config.documents import Field, JsonSchema, as_text, boolean, mask, number, timeout, words
from flussdvr.config.doubts import Doubt
from flussdvr.config.reading import Rule, flag, listed, path, simple
from flussdvr.config.values import DURATION, HTTP_URL, SECRET, Kind, integer
from flussdvr.logs.redaction import redact_text, redact_url


@dataclass(frozen=True, slots=True)
class OptionKind:
    """
    How values of one kind are said.

    `text` makes the file's rule for a field, `json` the documents' field, which also says what is masked; None: it is
    not said there. `argument` says in words what may be written in the file.
    """

    argument: str
    text: Callable[[str], Rule] | None = None
    json: Callable[[str], Field] | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """
    One thing that can be set: `field` of the settings, under `name` in the file and `key` in documents.

    `help`, `default`, `argument` (in place of the kind's) and `example` are for docs/configuration.md. `older` are
    names of the file that are read and never written, `older_keys` those of documents.
    """

    name: str
    field: str
    kind: OptionKind
    help: str = ""
    default: str = ""
    argument: str = ""
    example: str = ""
    older: tuple[str, ...] = ()
    key: str = ""
    older_keys: tuple[str, ...] | None = None
    """None: as in the file."""


def rules(options: Iterable[Option]) -> dict[str, Rule]:
    """How the file says them; an option's own name comes before its older ones."""
    return {
        name: rule
        for option in options
        if option.kind.text is not None
        for rule in [option.kind.text(option.field)]
        for name in (option.name, *option.older)
    }


def keys(options: Iterable[Option]) -> dict[str, Field]:
    """How documents say them."""
    return {
        option.key or option.name: option.kind.json(option.field) for option in options if option.kind.json is not None
    }


def aliases(options: Iterable[Option]) -> dict[str, str]:
    """The older names in documents, and what each is called now."""
    return {
        name: option.key or option.name
        for option in options
        if option.kind.json is not None
        for name in (option.older if option.older_keys is None else option.older_keys)
    }


# -- kinds ----------------------------------------------------------------------------------------------------------

Reader = Callable[[Any], Any]
LIST_SCHEMA: JsonSchema = {"type": "array", "items": {"type": "string"}}


def same(value: Any) -> Any:
    return value


def word(
    kind: Kind,
    argument: str,
    read: Reader | None = None,
    write: Reader = same,
    masked: Reader = same,
    off: bool = False,
    doubt: Doubt | None = None,
    schema: JsonSchema | None = None,
) -> OptionKind:
    """One word in the file; `read` in documents, where None is a text in the grammar of the file."""
    return OptionKind(
        argument,
        lambda field: simple(field, kind, off, doubt),
        lambda field: Field(field, read or as_text(kind), write, masked, schema),
    )


def whole(least: int, most: int, argument: str = "") -> OptionKind:
    """A whole number."""
    schema = {"type": "integer", "minimum": least, "maximum": most}
    return word(integer(least, most), argument or f"{least} to {most}", number(least, most), schema=schema)


def several(kind: Kind, argument: str, doubt: Doubt | None = None, repeated: bool = False) -> OptionKind:
    """A list of words."""
    return OptionKind(
        argument,
        lambda field: listed(field, kind, repeated, doubt),
        lambda field: Field(field, words(as_text(kind)), write_list, schema=LIST_SCHEMA),
    )


def write_list(value: Iterable[Any] | None) -> list[Any] | None:
    return list(value) if value else None


def _write_timeout(value: int | None) -> int | bool:
    return False if value is None else value


TEXT = word(values.TEXT, "text")
PROSE = word(values.TEXT, "text", masked=redact_text)
"""A text in which people may write addresses with passwords."""
PASSWORD = word(SECRET, "text", masked=mask, doubt=doubts.password)
SWITCH = OptionKind("switch", flag, lambda field: Field(field, boolean, schema={"type": "boolean"}))
URL = word(HTTP_URL, "`http://` or `https://`", masked=redact_url)
TIMEOUT = word(
    DURATION,
    "duration, or `off`",
    timeout,
    _write_timeout,
    off=True,
    doubt=doubts.timeout,
    schema={"type": "integer", "minimum": 0, "description": "seconds; false is never", "x-also": ["boolean"]},
)
SESSION_KEYS = several(values.TEXT, "list", doubts.session_key)
PATH = OptionKind("path", path)
