# -*- test-case-name: tests.database.test_overrides_text -*-
"""
`overrides.json`: what the API has changed, as text beside the catalog, so that it outlives it.

    {"generation": 7, "streams": {"ort": {...}}, "dvrs": {"main": {...}}}

    change   catalog: tables and generation + 1, committed  -->  text: replaced atomically
    start    the higher generation holds; the other is made equal to it

The catalog is committed first, so at the same generation both say the same, and a text that is behind is one that a
crash or a full disk kept from following. A text that is ahead belongs to a catalog that was lost, or restored from an
older backup. A text that was edited by hand has the same generation, and is overwritten. The tables are the other
half: see `database.sqlite.overrides`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass, field

from twisted.logger import Logger

from flussdvr.body.durable import read_bounded, replace_file
from flussdvr.json_text import parse_json

LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class AllOverrides:
    """Patches (JSON objects) by stream and by dvr."""

    generation: int = 0
    streams: dict[str, object] = field(default_factory=dict)
    dvrs: dict[str, object] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.streams or self.dvrs)


class OverridesText:
    """The text at `path`, or none for `None`. `refused`: why it can't be written. Blocking: in the SQL thread."""

    log = Logger()

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.refused: str | None = None
        self._written: AllOverrides | None = None

    def read(self) -> AllOverrides | None:
        """The text, or `None` where there is none; one that is damaged is moved aside and logged."""
        if self.path is None:
            return None
        try:
            return parse_overrides(read_bounded(self.path, LIMIT))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            aside = f"{self.path}.broken-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
            self.log.error("{path} can't be read: {error}; kept as {aside}", path=self.path, error=error, aside=aside)
            with contextlib.suppress(OSError):
                os.rename(self.path, aside)
            return None

    def write(self, overrides: AllOverrides) -> None:
        """Replace the text, unless it says so already or there is nothing to say. Sets `refused`."""
        if self.path is None or overrides == self._written:
            return
        if not overrides and not os.path.lexists(self.path):
            return
        about = {"generation": overrides.generation, "streams": overrides.streams, "dvrs": overrides.dvrs}
        try:
            replace_file(self.path, json.dumps(about, indent=1, sort_keys=True).encode() + b"\n", mode=0o600)
        except OSError as error:
            if self.refused is None:
                self.log.error("{path} can't be written: {error}", path=self.path, error=error)
            self.refused = str(error)
        else:
            self.refused, self._written = None, overrides


def parse_overrides(data: bytes) -> AllOverrides:
    """ValueError where it is not such a text."""
    try:
        value = parse_json(data, LIMIT)
    except RecursionError as error:  # pragma: no cover (the depth is bounded)
        raise ValueError(str(error)) from error
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    generation, streams, dvrs = value.get("generation"), value.get("streams", {}), value.get("dvrs", {})
    if type(generation) is not int or not 0 <= generation < 1 << 62:
        raise ValueError("generation is no number")
    for patches in (streams, dvrs):
        if not isinstance(patches, dict) or not all(isinstance(patch, dict) for patch in patches.values()):
            raise ValueError("a patch is no object")
        json.dumps(patches, ensure_ascii=False).encode()  # UnicodeEncodeError, a ValueError, for lone surrogates
    return AllOverrides(generation, streams, dvrs)
