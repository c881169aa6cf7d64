# -*- test-case-name: tests.database.test_overrides_text -*-
"""
`overrides.json`: what the API has changed, as text beside the catalog, so that it outlives it.

    {"generation": 7, "streams": {"ort": {...}}, "dvrs": {"main": {...}}}

    change   catalog: tables and generation + 1, committed  -->  text: replaced atomically
    start    the higher generation holds; the other is made equal to it

The catalog is committed first, so at the same generation both say the same, and a text that is behind is one that a
crash or a full disk kept from following. A text that is ahead belongs to a catalog that was lost, or restored from an
older backup. A text that was edited by hand has the same generation, and is overwritten.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from dataclasses import dataclass, field

from twisted.logger import Logger

from flussdvr.body.durable import read_bounded, replace_file
from flussdvr.json_text import parse_json

LIMIT = 64 << 20
_COUNTER = "overrides"
_TABLES = (("stream_override", "stream"), ("dvr_override", "dvr"))


@dataclass(frozen=True, slots=True)
class Overrides:
    """Patches (JSON objects) by stream and by dvr."""

    generation: int = 0
    streams: dict[str, object] = field(default_factory=dict)
    dvrs: dict[str, object] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.streams or self.dvrs)


class OverridesText:
    """The text at `path`, or none for `None`. `refused`: why it can't be written. In the SQL thread."""

    log = Logger()

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.refused: str | None = None
        self._written: Overrides | None = None

    def load(self, connection: sqlite3.Connection, broken: bool = False) -> None:
        """
        Make the tables equal to the text, if the text is ahead.

        `broken`: the tables are what could be saved of a broken catalog, perhaps not all: where they are not ahead the
        text holds; where they are, the text completes them.
        """
        text = self.read()
        if text is None:
            return
        generation = _generation(connection)
        if text.generation > generation or (broken and text.generation == generation):
            for table, _ in _TABLES:
                connection.execute(f"DELETE FROM {table}")
        elif not broken:
            return
        for (table, key), patches in zip(_TABLES, (text.streams, text.dvrs), strict=True):
            rows = [(name, json.dumps(patch)) for name, patch in patches.items()]
            connection.executemany(f"INSERT OR IGNORE INTO {table} ({key}, patch) VALUES (?, ?)", rows)
        held = max(text.generation, generation)
        connection.execute("INSERT OR REPLACE INTO counter VALUES (?, ?)", (_COUNTER, held))
        self.log.warn(
            "{path} has {count} changes by the API that the catalog has lost: they hold (generation {ahead}, {behind})",
            path=self.path,
            ahead=text.generation,
            behind=generation,
            count=len(text.streams) + len(text.dvrs),
        )

    def count(self, connection: sqlite3.Connection) -> None:
        """The tables are changed: one generation further."""
        connection.execute("INSERT OR REPLACE INTO counter VALUES (?, ?)", (_COUNTER, _generation(connection) + 1))

    def read_tables(self, connection: sqlite3.Connection) -> Overrides:
        """What the catalog says; patches that are none are left out."""
        streams, dvrs = (_patches(connection, table, key) for table, key in _TABLES)
        return Overrides(_generation(connection), streams, dvrs)

    def read(self) -> Overrides | None:
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

    def write(self, overrides: Overrides) -> None:
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


def parse_overrides(data: bytes) -> Overrides:
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
    return Overrides(generation, streams, dvrs)


def _generation(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM counter WHERE name = ?", (_COUNTER,)).fetchone()
    return row[0] if row is not None and type(row[0]) is int and 0 <= row[0] < 1 << 62 else 0


def _patches(connection: sqlite3.Connection, table: str, key: str) -> dict[str, object]:
    patches: dict[str, object] = {}
    for name, text in connection.execute(f"SELECT {key}, patch FROM {table}"):
        if not isinstance(name, str) or not isinstance(text, str):
            continue
        with contextlib.suppress(ValueError):
            patch = parse_json(text, LIMIT)
            name.encode()
            if isinstance(patch, dict):
                patches[name] = patch
    return patches
