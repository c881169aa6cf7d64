"""
Patches: what the API has changed of a document, kept and applied again over each new file.

    merge(document, patch)    objects deeply, lists whole; null unsets; "$reset": true begins from nothing (RFC 7396)
    merge_patches(a, b)       the one patch that does both
    normalized                by the names of today, without what is only shown
    apply_each                all patches that are kept, and what is wrong with those that do not fit any more
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flussdvr.config.documents import Document
from flussdvr.errors import DvrError
from flussdvr.errors import Kind as ErrorKind

T = TypeVar("T")

RESET = "$reset"
MAX_DEPTH = 16
SHOWN_ONLY = frozenset({"stats", "named_by", "config_on_disk", "name", "effective"})
"""What GET shows and PUT ignores, so that what was got may be put."""
MAX_SENTENCE = 500


def merge(document: Mapping[str, Any], patch: Mapping[str, Any], depth: int = 0) -> Document:
    """`document` with `patch` applied: what it is afterwards, nulls gone."""
    _check_depth(depth)
    merged = {} if patch.get(RESET) is True else dict(document)
    for key, value in patch.items():
        if key == RESET:
            continue
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            before = merged.get(key)
            merged[key] = merge(before if isinstance(before, Mapping) else {}, value, depth + 1)
        else:
            merged[key] = value
    return merged


def merge_patches(first: Mapping[str, Any], second: Mapping[str, Any], depth: int = 0) -> Document:
    """The one patch that does what `first` and then `second` do."""
    _check_depth(depth)
    if second.get(RESET) is True:
        return dict(second)
    merged = dict(first)
    for key, value in second.items():
        before = merged.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            merged[key] = merge_patches(before, value, depth + 1)
        elif isinstance(value, Mapping) and key in merged:  # null or a plain value before: nothing of the file is left
            merged[key] = {**value, RESET: True}
        else:
            merged[key] = value
    return merged


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DvrError(ErrorKind.BAD_REQUEST, "bad_request", f"objects are nested deeper than {MAX_DEPTH}")


def normalized(patch: Mapping[str, Any], aliases: Mapping[str, str]) -> Document:
    """A patch by the names of today, without what is only shown."""
    return {aliases.get(key, key): value for key, value in patch.items() if key not in SHOWN_ONLY}


def apply_each(
    what: str, patches: Mapping[str, Mapping[str, Any]], apply: Callable[[str, Mapping[str, Any]], T]
) -> tuple[dict[str, T], list[str]]:
    """
    What `apply(name, patch)` makes of each, and a sentence about each that does not fit the file any more (left out).

    `what` they are patches of, for people. A catalog that somebody else wrote to may hold anything.
    """
    made: dict[str, T] = {}
    problems: list[str] = []
    for name, patch in patches.items():
        try:
            made[name] = apply(name, patch)
        except DvrError as error:
            problems.append(f"{what} {name}: what the API changed does not fit the file any more: {error.title}")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:  # nothing the API let in
            sentence = f"{what} {name}: what is kept of the API's changes makes no sense: {error!r}"
            problems.append(sentence[:MAX_SENTENCE])
    return made, problems
