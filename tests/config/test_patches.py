"""Patches: one after the other, by the names of today, and those that do not fit any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.config.patches import MAX_DEPTH, MAX_SENTENCE, SHOWN_ONLY, apply_each, merge, merge_patches, normalized
from flussdvr.errors import DvrError, Kind

documents = st.recursive(
    st.integers(0, 3), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
).filter(lambda value: isinstance(value, dict))
patches = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3).flatmap(
        lambda made: st.sampled_from([made, {**made, "$reset": True}])
    ),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))


@given(documents, patches, patches)
def test_merging_patches_is_applying_them_in_turn(document: Any, first: Any, second: Any) -> None:
    assert merge(document, merge_patches(first, second)) == merge(merge(document, first), second)


@given(documents, patches)
def test_merging_changes_neither(document: Any, patch: Any) -> None:
    before = repr((document, patch))
    merged = merge(document, patch)
    assert repr((document, patch)) == before and "$reset" not in merged
    assert all(merged.get(key) == value for key, value in patch.items() if isinstance(value, int) and key != "$reset")


def nested(depth: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for _ in range(depth):
        document = {"a": document}
    return document


@pytest.mark.parametrize("join", [merge, merge_patches])
def test_what_is_nested_too_deeply_is_refused(join: Any) -> None:
    assert join(nested(MAX_DEPTH), nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    with pytest.raises(DvrError, match="nested deeper"):
        join(nested(MAX_DEPTH + 1), nested(MAX_DEPTH + 1))


def test_names_of_today() -> None:
    patch = {"old": 1, "new": 2, **dict.fromkeys(SHOWN_ONLY, "shown")}
    assert normalized(patch, {"old": "today"}) == {"today": 1, "new": 2}


def refuse(name: str, patch: Mapping[str, Any]) -> int:
    if name == "refused":
        raise DvrError(Kind.BAD_REQUEST, "bad_request", "it is wrong")
    if name in ERRORS:
        raise ERRORS[name]
    return int(patch["value"])


ERRORS: dict[str, Exception] = {
    "value": ValueError("x" * 10_000),
    "type": TypeError("t"),
    "key": KeyError("k"),
    "attribute": AttributeError("a"),
    "recursion": RecursionError("r"),
}


def test_patches_that_do_not_fit_are_left_out_and_told() -> None:
    kept = {"one": {"value": 1}, "refused": {}, **{name: {} for name in ERRORS}, "last": {"value": 2}}
    made, problems = apply_each("stream", kept, refuse)
    assert made == {"one": 1, "last": 2}
    assert problems[0] == "stream refused: what the API changed does not fit the file any more: it is wrong"
    assert [one.partition(":")[0] for one in problems[1:]] == [f"stream {name}" for name in ERRORS]
    assert all("makes no sense" in one and len(one) <= MAX_SENTENCE for one in problems[1:])


def test_what_is_no_fault_of_a_patch_is_raised() -> None:
    def fail(name: str, patch: Mapping[str, Any]) -> int:
        raise OSError

    with pytest.raises(OSError):
        apply_each("dvr", {"a": {}}, fail)
