"""
Collections: which items of a list a request wants, in which order, and which page of them.

    items --filters--> --q--> --sort--> --cursor--> --limit--> --select--> {"<items>": [...], "estimated_count", "next"}

    limit=100  cursor=...  sort=-position,name  select=name,stats.alive  q=text
    field=a,b  field_ne=  field_gt=  _gte  _lt  _lte  field_like=  field_is=null  field_is_not=null     dotted paths

null, "null" and "undefined" are as if they were not there; in order: missing < number < text < anything else. A cursor
is opaque: the sort keys of the item next to it, so pages hold together while items come and go (docs/compatibility.md).
Pure.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flussdvr.errors import DvrError, Kind

Item = Mapping[str, Any]

LIMIT = 100
MAX_LIMIT = 100_000
MISSING = (None, "null", "undefined")
CONTROLS = ("limit", "cursor", "sort", "select", "q", "format")
_TESTS = ("is_not", "is", "ne", "gte", "gt", "lte", "lt", "like")


@dataclass(frozen=True, slots=True)
class Page:
    """The items on a page, of `total` that match; `next` and `prev` are cursors or `None`."""

    items: list[Item]
    total: int
    next: str | None
    prev: str | None

    def document(self, plural: str) -> dict[str, Any]:
        return {plural: self.items, "estimated_count": self.total, "next": self.next, "prev": self.prev}


def page(
    items: Iterable[Item],
    query: Mapping[str, str],
    *,
    key: str = "name",
    order: str = "",
    searched: Sequence[str] = ("name", "title"),
    other: Iterable[str] = (),
) -> Page:
    """
    The page of `items` that `query` asks for.

    `key`: the field that tells items apart and is always shown; `order`: how they are sorted by default; `searched`:
    fields that `q` looks into; `other`: parameters that are no filters. DvrError BAD_REQUEST names the parameter.
    """
    tests = [_test(name, value) for name, value in query.items() if name not in (*CONTROLS, *other)]
    wanted = [item for item in items if all(test(item) for test in tests)]
    if (text := query.get("q", "").casefold()) != "":
        wanted = [item for item in wanted if any(text in _text(value(item, name)) for name in searched)]
    fields = [*_names(query.get("sort") or order), key]
    keys = {id(item): _sort_key(item, fields) for item in wanted}
    wanted.sort(key=lambda item: keys[id(item)])
    return _cut(wanted, [keys[id(item)] for item in wanted], query, key)


def _cut(wanted: list[Item], keys: list[Any], query: Mapping[str, str], key: str) -> Page:
    limit, select = read_limit(query.get("limit")), _names(query.get("select", ""))
    first, last = 0, min(limit, len(wanted))
    if cursor := query.get("cursor"):
        at, backward = decode_cursor(cursor)
        try:
            if backward:
                last = sum(1 for one in keys if one < at)
                first = max(0, last - limit)
            else:
                first = sum(1 for one in keys if one <= at)
                last = min(first + limit, len(wanted))
        except TypeError:
            raise _bad_cursor() from None
    shown = [_select(item, [*select, key]) if select else item for item in wanted[first:last]]
    following = encode_cursor(keys[last - 1], False) if first < last < len(wanted) else None
    return Page(shown, len(wanted), following, encode_cursor(keys[first], True) if 0 < first < last else None)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def read_limit(text: str | None) -> int:
    if text is None or text in MISSING:
        return LIMIT
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise _bad("limit", f"expected a number up to {MAX_LIMIT}")
    return min(int(text), MAX_LIMIT)


def _bad(name: str, title: str) -> DvrError:
    return DvrError(Kind.BAD_REQUEST, "invalid_parameter", f"{name}: {title}", {"parameter": name})


# -- values -----------------------------------------------------------------------------------------------------------


def value(item: Item, path: str) -> Any:
    """What is at a dotted path; `None` for what is missing."""
    if path in item:
        return None if _is_missing(item[path]) else item[path]
    found: Any = item
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return None if _is_missing(found) else found


def _is_missing(found: Any) -> bool:
    return found is None or (isinstance(found, str) and found in MISSING)


def _text(found: Any) -> str:
    """For `q`: every text inside."""
    if isinstance(found, Mapping):
        return "\n".join(_text(one) for one in found.values())
    if isinstance(found, (list, tuple)):
        return "\n".join(_text(one) for one in found)
    return str(found).casefold() if isinstance(found, str) else ""


def _rank(found: Any) -> tuple[int, Any]:
    if found is None:
        return 0, 0
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        return 1, found
    if isinstance(found, str):
        return 2, found
    return 3, json.dumps(found, sort_keys=True)


class _Descending(tuple[int, Any]):
    """A rank that sorts the other way round."""

    def __lt__(self, other: Any) -> bool:
        return tuple.__gt__(self, other)

    def __le__(self, other: Any) -> bool:
        return tuple.__ge__(self, other)

    def __gt__(self, other: Any) -> bool:
        return tuple.__lt__(self, other)

    def __ge__(self, other: Any) -> bool:
        return tuple.__le__(self, other)


def _sort_key(item: Item, fields: Sequence[str]) -> list[Any]:
    key: list[Any] = []
    for name in fields:
        rank = _rank(value(item, name.lstrip("-")))
        key.append(_Descending(rank) if name.startswith("-") else rank)
    return key


# -- filters ----------------------------------------------------------------------------------------------------------


def _test(parameter: str, text: str) -> Callable[[Item], bool]:
    name, test = parameter, ""
    for suffix in _TESTS:
        if parameter.endswith("_" + suffix):
            name, test = parameter[: -len(suffix) - 1], suffix
            break
    if not name:
        raise _bad(parameter, "no field is named")
    match test:
        case "is" | "is_not":
            if text != "null":
                raise _bad(parameter, "can only be null")
            return lambda item: (value(item, name) is None) == (test == "is")
        case "like":
            return lambda item: isinstance(found := value(item, name), str) and text in found
        case "ne":
            return lambda item: not _is_any(value(item, name), text)
        case "":
            return lambda item: _is_any(value(item, name), text)
    return lambda item: _compares(value(item, name), test, text)


def _is_any(found: Any, text: str) -> bool:
    if isinstance(found, (list, tuple)):
        return any(_is_any(one, text) for one in found)
    return _spelled(found) in text.split(",") or _spelled(found) == text


def _spelled(found: Any) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    return "null" if found is None else str(found)


def _compares(found: Any, test: str, text: str) -> bool:
    if found is None:
        return False
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        try:
            other: Any = float(text)
        except ValueError:
            return False
    else:
        found, other = _spelled(found), text
    return bool({"gt": found > other, "gte": found >= other, "lt": found < other, "lte": found <= other}[test])


# -- cursor, select ---------------------------------------------------------------------------------------------------


def encode_cursor(key: Sequence[Any], backward: bool) -> str:
    parts = [["-" if isinstance(one, _Descending) else "+", *one] for one in key]
    text = json.dumps([backward, parts], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[list[Any], bool]:
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
        backward, parts = json.loads(text)
        key = [_Descending((rank, one)) if sign == "-" else (rank, one) for sign, rank, one in parts]
    except (ValueError, TypeError, RecursionError):
        raise _bad_cursor() from None
    return key, backward is True


def _bad_cursor() -> DvrError:
    return _bad("cursor", "not a cursor of this list")


def _select(item: Item, names: Sequence[str]) -> Item:
    chosen: dict[str, Any] = {}
    for name in names:
        found: Any = item
        parts = name.split(".")
        for part in parts:
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is None:
            continue
        at = chosen
        for part in parts[:-1]:
            inner = at.setdefault(part, {})
            at[part] = inner = dict(inner) if isinstance(inner, Mapping) else {}
            at = inner
        at[parts[-1]] = found
    return chosen
