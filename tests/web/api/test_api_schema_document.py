"""The schema as generators of clients read it: one type for each value, a name for each operation, no name twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from flussdvr.errors import DvrError
from flussdvr.web.api.listing import encode_cursor
from flussdvr.web.api.schema import ALSO, Schema

TEXT = files("flussdvr.web.api").joinpath("schema.json").read_text()
DOCUMENT: Any = json.loads(TEXT)
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in ("get", "put", "post", "delete", "patch")
]


def nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document, with its place."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from nodes(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from nodes(value, f"{path}/{index}")


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    return ((path, node) for path, node in nodes(DOCUMENT) if isinstance(node.get("type"), str | list))


def test_no_key_is_there_twice() -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), [key for key, _ in pairs]
        return dict(pairs)

    json.loads(TEXT, object_pairs_hook=once)


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation.get("operationId") for _, _, operation in OPERATIONS]
    assert all(name and name.isidentifier() and name.islower() for name in names)
    assert not [name for name, count in Counter(names).items() if count > 1]


def test_every_array_says_of_what() -> None:
    arrays = [(path, node) for path, node in schemas() if "array" in node["type"]]
    assert len(arrays) > 10 and not [path for path, node in arrays if "items" not in node]


def test_every_value_has_one_type_and_may_be_null() -> None:
    for path, node in schemas():
        types = node["type"] if isinstance(node["type"], list) else [node["type"]]
        assert len([one for one in types if one != "null"]) == 1, path
        assert not {"anyOf", "oneOf", "allOf"} & node.keys(), path


def test_every_reference_leads_somewhere() -> None:
    for path, node in nodes(DOCUMENT):
        if isinstance(target := node.get("$ref"), str):
            found = DOCUMENT
            for part in target.removeprefix("#/").split("/"):
                assert part in found, (path, target)
                found = found[part]


def test_no_two_classes_of_a_generated_client_have_one_name() -> None:
    """Generators name an object inside of another after both."""

    def pascal(name: str) -> str:
        return "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))

    def inner(name: str, node: dict[str, Any]) -> Iterator[str]:
        for key, value in node.get("properties", {}).items():
            one = value.get("items", value) if "array" in value.get("type", "") else value
            if "object" in one.get("type", "") and "$ref" not in one:
                yield (called := name + pascal(key) + ("Item" if one is not value else ""))
                yield from inner(called, one)

    components = DOCUMENT["components"]["schemas"]
    names = [pascal(name) for name in components]
    names += [one for name, node in components.items() for one in inner(pascal(name), node)]
    assert not [name for name, count in Counter(names).items() if count > 1]


def test_a_cursor_is_what_its_pattern_says() -> None:
    schema = Schema()
    for cursor in (encode_cursor([(1, 5), (2, "ä/?>")], False), encode_cursor([(1, 1 << 60)], True), ""):
        schema.check("/streams", "get", {"cursor": cursor}, None)
    with pytest.raises(DvrError) as refusal:
        schema.check("/streams", "get", {"cursor": "a b"}, None)
    assert refusal.value.source == {"parameter": "cursor"}


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": "fake://", "dvr": False, "on_play": "http://h/", "thumbnails": True},
        {"inputs": ["fake://", {"url": "fake://", "input_timeout": "5s"}], "dvr": None, "on_play": False},
        {"dvr": {"root": "/s", "expiration": False, "schedule": ["800-1600", [2200, 130]]}, "protocols": {"hls": True}},
        {"thumbnails": {"enabled": "ondemand", "sizes": ["320x240", {"width": 320, "height": 240}]}, "title": None},
    ],
)
def test_what_older_clients_send_is_taken(body: Any) -> None:
    Schema().check("/streams/<path:name>", "put", {}, body)


@pytest.mark.parametrize("body", [{"dvr": "x"}, {"dvr": {"root": 5}}, {"inputs": 5}, {"title": 5}, {"dvr": {"x": 1}}])
def test_what_is_none_of_its_types_is_refused(body: Any) -> None:
    with pytest.raises(DvrError) as refusal:
        Schema().check("/streams/<path:name>", "put", {}, body)
    assert refusal.value.status == 400


def test_further_types_are_those_of_requests() -> None:
    further = [path for path, node in nodes(DOCUMENT) if ALSO in node]
    used = {path.split("/")[3] for path in further}
    assert used <= {"input", "stream_config", "dvr_settings", "dvr_config"}
