"""
`thumbnails`: pictures along the timeline.

    thumbnails;   thumbnails ondemand size=320x180;   thumbnails off;      in the file
    {"enabled": true | "ondemand", "url", "sizes": [{"width", "height"}]}  in documents; false is off
"""

from __future__ import annotations

from typing import Any

from flussdvr.config.documents import (
    Document,
    Field,
    boolean,
    object_schema,
    read_document,
    the_object,
    words,
    write_document,
)
from flussdvr.config.lexer import Word, quote_value
from flussdvr.config.model import ThumbnailSettings
from flussdvr.config.options import URL, Option, OptionKind, keys, rules, word
from flussdvr.config.parser import Directive
from flussdvr.config.reading import Reading, Rule, Writing, line, listed, read_fields, surplus
from flussdvr.config.values import BOOLEAN, DIMENSIONS, Kind, write_boolean
from flussdvr.logs.redaction import redact_url


def _read_enabled(text: str) -> bool | str:
    return text if text == "ondemand" else BOOLEAN.read(text)


def _enabled(value: Any) -> bool | str:
    return "ondemand" if value == "ondemand" else boolean(value)


def _sizes(value: Any) -> tuple[tuple[int, int], ...]:
    def size(one: Any) -> tuple[int, int]:
        if isinstance(one, str):
            return DIMENSIONS.read(one)  # type: ignore[no-any-return]
        pair = the_object(one)
        return DIMENSIONS.read(f"{pair.get('width')}x{pair.get('height')}")  # type: ignore[no-any-return]

    return words(size)(value)


_SIZES_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"width": {"type": "integer"}, "height": {"type": "integer"}},
        "x-also": ["string"],
    },
}

OPTIONS = (
    Option(
        "enabled",
        "enabled",
        word(
            Kind(_read_enabled, write_boolean),
            "switch or `ondemand`",
            _enabled,
            schema={"type": "string", "x-also": ["boolean"]},
        ),
        "`ondemand`: pictures are made when asked for, and none are stored",
        "on",
    ),
    Option("url", "url", URL, "pictures are fetched there", "from the video"),
    Option(
        "size",
        "sizes",
        OptionKind(
            "list of `WIDTHxHEIGHT`",
            lambda field: listed(field, DIMENSIONS, repeated=True),
            lambda field: Field(
                field, _sizes, lambda value: [{"width": w, "height": h} for w, h in value], schema=_SIZES_SCHEMA
            ),
        ),
        "`thumbnails size=320x180;` pictures are made to fit into the first, aspect kept",
        "320 wide",
        older=("sizes",),
        key="sizes",
        older_keys=(),
    ),
)
_RULES = rules(OPTIONS)
_FIELDS = keys(OPTIONS)


def _read(directive: Directive, reading: Reading) -> ThumbnailSettings | None:
    options = directive.fields
    for one in directive.positional:
        if one is not directive.words[0]:
            raise surplus(directive, one)
        options.append(Directive(Word("enabled", one.place), (one,)))
    values, _ = read_fields(_RULES, options, "thumbnails option", reading)
    return None if values.get("enabled") is False else ThumbnailSettings(**values)


def _write(name: str, value: ThumbnailSettings | None, writing: Writing) -> list[str]:
    if value is None:
        return [line(name, "off")]
    words = [f"enabled={value.enabled}"] if value.enabled == "ondemand" else []
    words += [f"url={quote_value(writing.url(value.url))}"] if value.url else []
    words += [f"size={','.join(map(DIMENSIONS.write, value.sizes))}"] if value.sizes else []
    return [line(name, *words)]


def _read_document(value: Any) -> ThumbnailSettings | None:
    if isinstance(value, bool):
        value = {"enabled": value}
    values = read_document(_FIELDS, the_object(value), {})
    return None if values.get("enabled") is False else ThumbnailSettings(**values)


def _write_document(value: ThumbnailSettings | None) -> Document | None:
    return None if value is None else write_document(_FIELDS, value, True)


def _mask(shown: Document) -> Document:
    return {key: redact_url(one) if key == "url" else one for key, one in shown.items()}


THUMBNAILS = OptionKind(
    "see below, or `off`",
    lambda field: Rule(field, _read, _write),
    lambda field: Field(field, _read_document, _write_document, _mask, object_schema(_FIELDS, ["boolean"])),
)
