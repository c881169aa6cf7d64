"""The source, the schema and the documentation know the same events, with the same fields."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import Field
from dataclasses import fields as fields_of
from importlib.resources import files
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from jsonschema import Draft202012Validator

import flussdvr
from flussdvr.events.filter import LEVEL_OF
from flussdvr.events.history import TOO_MANY
from flussdvr.events.types import EVENTS as TYPES
from flussdvr.events.types.event import Event

SCHEMA = json.loads(files("flussdvr.events").joinpath("schema.json").read_bytes())
DEFS = SCHEMA["$defs"]
GROUPS = ("common", "source", "session")
EVENTS = [name for name in DEFS if name not in GROUPS]
SOURCE = Path(flussdvr.__file__).parent
TESTS = Path(__file__).parent.parent
DOCS = (SOURCE.parent / "docs" / "events.md").read_text()


def used_names() -> set[str]:
    """Every name that the source uses, but for the types themselves."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        if path.parent.name != "types":
            found |= {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    return found


def literals(source: str) -> list[int]:
    """The lines with a dict that names an event itself: `{"event": "source_lost", ...}`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            entries = zip(node.keys, node.values, strict=True)
            for key, value in entries:
                names = [one.value for one in ast.walk(value) if isinstance(one, ast.Constant)]
                if isinstance(key, ast.Constant) and key.value == "event" and not TYPES.keys().isdisjoint(names):
                    found.append(node.lineno)
    return found


def fields(*names: str) -> set[str]:
    return {field for name in names for field in DEFS[name]["properties"]}


def own(name: str) -> set[str]:
    return fields(name) - {"event"}


def test_every_type_is_emitted_by_something() -> None:
    assert {kind.__name__ for kind in TYPES.values()} - used_names() == set()


def test_nothing_is_emitted_that_is_no_type() -> None:
    assert literals('x = {"media": "cam", "event": "source_lost" if y else "source_ready"}') == [1]
    assert literals('x = {"event": name, "type": "source_lost"}') == []
    # Which events a sink gets, in the configuration.
    filters = {"config/model.py"}
    found = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if literals(path.read_text())}
    assert found - filters == set()


def checked() -> dict[str, set[str]]:
    """By test module: the events that it names and checks against the schema."""
    found = {}
    for path in TESTS.rglob("test_*.py"):
        text = path.read_text()
        if "event_schema.check" in text:
            found[str(path.relative_to(TESTS))] = {name for name in EVENTS if f'"{name}"' in text}
    return found


def schema_of(hint: Any) -> dict[str, Any]:
    """What a type of a field is as JSON Schema."""
    if get_origin(hint) is Literal:
        values = list(get_args(hint))
        return {"const": values[0]} if len(values) == 1 else {"enum": values}
    if get_origin(hint) is tuple:
        item, rest = get_args(hint)
        assert rest is ...
        return {"type": "array", "items": schema_of(item)}
    if get_origin(hint) is UnionType:
        named, null = get_args(hint)
        assert null is NoneType
        return {"type": [schema_of(named)["type"], "null"]}
    return {"type": {str: "string", int: "integer", bool: "boolean"}[hint]}


def schema_of_field(kind: type[Event], field: Field[Any]) -> dict[str, Any]:
    hint = get_type_hints(kind)[field.name]
    if field.default is None:  # left out rather than null
        hint = get_args(hint)[0]
    return schema_of(hint)


def in_schema(name: str) -> tuple[dict[str, Any], set[str]]:
    """The fields of an event, those in common included, and which of them are required."""
    parts = [*(part["$ref"].rpartition("/")[2] for part in DEFS[name]["allOf"]), name]
    properties = {key: value for part in parts for key, value in DEFS[part]["properties"].items()}
    return properties, {key for part in parts for key in DEFS[part].get("required", ())}


def test_every_type_is_in_the_schema_and_the_other_way_round() -> None:
    assert set(EVENTS) == set(TYPES)
    assert [one["$ref"].rpartition("/")[2] for one in SCHEMA["oneOf"]] == EVENTS


@pytest.mark.parametrize("name", EVENTS)
def test_types_and_schema_have_the_same_fields(name: str) -> None:
    kind = TYPES[name]
    properties, required = in_schema(name)
    own = {field.name: field for field in fields_of(kind)}
    assert properties.keys() - {"event", "event_id", "utc_ms", "server", "media"} == own.keys() - {"media"}
    assert properties["event"] == {"const": name}
    for field in own.values():
        found = schema_of_field(kind, field)
        if field.name == "media":  # in the schema one of the fields that all events may have
            assert found["type"] in ("string", ["string", "null"])
            continue
        assert {key: value for key, value in properties[field.name].items() if key != "description"} == found, field
        assert (field.name in required) == (field.default is not None), field


def test_types_as_json_schema() -> None:
    assert schema_of(int) != {"type": "string"} and schema_of(str | None) == {"type": ["string", "null"]}
    assert schema_of(Literal["a", "b"]) == {"enum": ["a", "b"]} and schema_of(Literal["a"]) == {"const": "a"}
    assert schema_of(tuple[str, ...]) == {"type": "array", "items": {"type": "string"}}
    with pytest.raises(KeyError):
        schema_of(float)


def test_every_event_is_checked_as_it_is_emitted(event_schema: Any) -> None:
    """The rare ones by the test of what causes them, all others by that of a server (`integration/test_events`)."""
    of_modules = checked()
    assert "integration/test_events.py" in of_modules
    assert event_schema.RARE <= set().union(*of_modules.values())


def test_what_is_said_of_events_elsewhere_is_said_of_events() -> None:
    assert set(EVENTS) >= set(LEVEL_OF) and set(EVENTS) >= TOO_MANY


def test_it_is_a_schema_that_refuses() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA)
    common = {"event_id": "b1946ac9-2492-4d23-a47a-1c2a7b3c0001", "utc_ms": 1, "server": "dvr"}
    event: dict[str, Any] = {"event": "source_lost", **common, "media": "cam", "reason": "x"}
    assert validator.is_valid(event)
    for wrong in ({"event": "source_found"}, {"reason": None}, {"utc_ms": "1"}, {"other": 1}):
        assert not validator.is_valid(event | wrong), wrong
    for missing in ("reason", "event_id", "server", "utc_ms"):
        assert not validator.is_valid({key: value for key, value in event.items() if key != missing}), missing


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the table under a heading of the documentation."""
    section = re.split(r"^#+ ", DOCS.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def words(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_the_documentation_lists_every_event_with_its_fields() -> None:
    documented = {}
    for name, when, cell in rows("Events"):
        assert when, f"{name}: when?"
        documented[name.strip("`")] = words(cell)
        for group in ("source", "session"):
            refers = {"$ref": f"#/$defs/{group}"} in DEFS[name.strip("`")]["allOf"]
            assert (f"those of a {group}" in cell) == refers, name
    assert documented.keys() == set(EVENTS)
    documented["web_request"] = {name.strip("`") for name, _ in rows("`web_request`: who takes how much from where")}
    for name in EVENTS:
        assert documented[name] == own(name), name


@pytest.mark.parametrize(
    ("heading", "group"),
    [
        ("Fields of every event", "common"),
        ("Fields of a source", "source"),
        ("Fields of a session", "session"),
    ],
)
def test_the_documentation_lists_what_events_have_in_common(heading: str, group: str) -> None:
    assert {name.strip("`") for name, _ in rows(heading)} == fields(group)
