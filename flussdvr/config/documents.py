"""
Documents: the configuration as the API's JSON.

    Field                     one key: which field of the settings it is, how it is read and how shown
    read_document             JSON -> values of settings; every refusal names the key it is about
    write_document            settings -> JSON, secrets masked for those who may only look
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flussdvr.config.errors import Misread, nearest
from flussdvr.config.values import Kind
from flussdvr.errors import DvrError
from flussdvr.errors import Kind as ErrorKind
from flussdvr.logs.redaction import MASK

Document = dict[str, Any]


JsonSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """
    One key of a document. `read(value)` raises Misread, `write(value)` gives JSON or `None` for nothing to show.

    `masked(shown)` is what a viewer sees instead. `schema` says what is sent, for the API's schema: one type, and
    under `x-also` those that older clients send; None is a text.
    """

    field: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any] = lambda value: value
    masked: Callable[[Any], Any] = lambda shown: shown
    schema: JsonSchema | None = None


Fields = Mapping[str, Field]


def read_document(
    fields: Fields, document: Mapping[str, Any], aliases: Mapping[str, str], pointer: str = ""
) -> dict[str, Any]:
    """The values that `document` sets. DvrError BAD_REQUEST `unknown_field` or `invalid_value`, with the pointer."""
    values: dict[str, Any] = {}
    for key, value in document.items():
        at = f"{pointer}/{key}"
        known = fields.get(aliases.get(key, key))
        if known is None:
            hint = nearest(key, fields)
            raise refused("unknown_field", f"there is no {at[1:]}" + (f"; {hint}" if hint else ""), at)
        with _at(at):
            values[known.field] = known.read(value)
    return values


@contextmanager
def _at(pointer: str) -> Iterator[None]:
    """What is wrong in here is wrong at `pointer`, or deeper."""
    try:
        yield
    except Misread as misread:
        hint = f"; {misread.hint}" if misread.hint else ""
        raise refused("invalid_value", f"{pointer[1:]}: {misread.message}{hint}", pointer) from None
    except DvrError as error:
        inner = error.source.get("pointer", "")
        title = error.title.replace(inner[1:], (pointer + inner)[1:], 1)
        raise refused(error.code, title, pointer + inner) from None


def properties(fields: Fields, needed: Container[str] = ()) -> dict[str, JsonSchema]:
    """The fields in the API's schema. Null takes back what is set, but for those that are `needed`."""
    return {key: one.schema or {"type": "string"} if key in needed else _or_null(one) for key, one in fields.items()}


def _or_null(one: Field) -> JsonSchema:
    schema = one.schema or {"type": "string"}
    return {**schema, "type": [schema["type"], "null"]}


def object_schema(fields: Fields, also: Sequence[str]) -> JsonSchema:
    """Of an object with these fields and no others; `also` are further types that clients may send."""
    reset = {"$reset": {"type": "boolean"}}
    return {
        "type": "object",
        "properties": {**properties(fields), **reset},
        "additionalProperties": False,
        "x-also": list(also),
    }


def refused(code: str, title: str, pointer: str) -> DvrError:
    return DvrError(ErrorKind.BAD_REQUEST, code, title, {"pointer": pointer})


def write_document(fields: Fields, value: Any, secrets: bool, defaults: Mapping[str, Any] | None = None) -> Document:
    """The document of `value`; with `defaults` only what is not as they are. What is not set is left out."""
    document: Document = {}
    for key, known in fields.items():
        mine = getattr(value, known.field)
        if defaults is not None and known.field in defaults and defaults[known.field] == mine:
            continue
        shown = known.write(mine)
        if shown is not None:
            document[key] = shown if secrets else known.masked(shown)
    return document


# -- kinds of values ------------------------------------------------------------------------------------------------


def expected(what: str, value: Any) -> Misread:
    return Misread(f"expected {what}, found {str(value)[:60]!r}")


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise expected("a text", value)
    if not is_unicode(value):
        raise expected("a text of valid Unicode", ascii(value))
    return value


def is_unicode(value: str) -> bool:
    """Whether it can be written at all: JSON can say half of a surrogate pair (RFC 8259 section 8.2)."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise expected("true or false", value)
    return value


def number(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise expected(f"a whole number from {least} to {most}", value)
        return value

    return read


def limit(most: int) -> Callable[[Any], int | None]:
    """A number; 0 and false are no limit."""
    read = number(0, most)
    return lambda value: None if value is False else read(value) or None


def timeout(value: Any) -> int | None:
    """Seconds; false is never."""
    return None if value is False else number(0, 100 * 366 * 86_400)(value)


def as_text(kind: Kind) -> Callable[[Any], Any]:
    """A text in the grammar of the file."""
    return lambda value: kind.read(text(value))


def words(read: Callable[[Any], Any] = text) -> Callable[[Any], tuple[Any, ...]]:
    return each(lambda value, _: read(value))


def each(read: Callable[[Any, int], Any]) -> Callable[[Any], tuple[Any, ...]]:
    """A list; `read(item, index)` of each. What is wrong has the pointer to its item."""

    def read_list(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise expected("a list", value)
        items = []
        for index, item in enumerate(value):
            with _at(f"/{index}"):
                items.append(read(item, index))
        return tuple(items)

    return read_list


def mapping(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise expected("an object", value)
    return {text(key): text(one) if isinstance(one, str) else _scalar(one) for key, one in value.items()}


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise expected("a text", value)


def the_object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise expected("an object", value)
    return value


def mask(shown: Any) -> Any:
    return MASK
