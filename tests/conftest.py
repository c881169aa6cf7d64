"""What tests of several folders share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import settings
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

# How long an example takes says how busy the machine is.
settings.register_profile("flussdvr", deadline=None)
settings.load_profile("flussdvr")

COMMON = {"event_id": "b1946ac9-2492-4d23-a47a-1c2a7b3c0001", "utc_ms": 0, "server": "here"}


class EventSchema:
    """The schema of events; `names` are those it has."""

    RARE = frozenset(
        """
        clock_held clock_stepped clock_contradicted dvr_misdated dvr_root_imported
        catalog_rebuilt catalog_failed catalog_recovered
        catalog_rows_set_aside dvr_deletion_failed dvr_deletion_resumed dvr_stream_in_use dvr_locks_damaged
        dvr_drop_write dvr_write_failed dvr_write_resumed dvr_root_failed dvr_root_recovered events_dropped
        thumbnail_failed source_lost source_updated stream_updated play_updated
        """.split()
    )
    """What a disk, a clock or a catalog that fails causes, and what takes minutes: no server of the tests emits it."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = json.loads(files("flussdvr.events").joinpath("schema.json").read_bytes())
        definitions = self.document["$defs"]
        self.names = {one["$ref"].rpartition("/")[2] for one in self.document["oneOf"]}
        self._validators = {
            name: Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions}) for name in self.names
        }

    def check(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Each is as it should be."""
        for event in events:
            problem = best_match(self._validators[event["event"]].iter_errors(event))
            assert problem is None, (event, problem)

    def check_own(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Each is, once it is given what all have in common."""
        self.check({**COMMON, **event} for event in events)


@pytest.fixture(scope="session")
def event_schema() -> EventSchema:
    return EventSchema()
