# -*- test-case-name: tests.database.test_overrides_text -*-
"""
What the API has changed: the tables, and their copy as text beside the database (see `database.overrides_text`).

    replace --> table and generation, committed --> text, behind: what is in the database is stored, whatever becomes
                                                     of the copy
"""

from __future__ import annotations

import contextlib
import json
import sqlite3

from twisted.internet.defer import Deferred

from flussdvr.database.overrides_text import LIMIT, AllOverrides, OverridesText
from flussdvr.database.rows import read_named_text
from flussdvr.database.sqlite.subject import Subject
from flussdvr.database.sqlite.transactions import Transactions
from flussdvr.json_text import parse_json

STREAMS = ("stream_override", "stream")
DVRS = ("dvr_override", "dvr")
"""A table, and the column of the names in it."""
_COUNTER = "overrides"


class OverridesCopy:
    """Keeps text and tables equal; `load`, `count` and `write` in the SQL thread."""

    def __init__(self, transactions: Transactions, text: OverridesText) -> None:
        self.text = text
        self._transactions = transactions

    def load(self, connection: sqlite3.Connection, broken: bool = False) -> None:
        """
        Make the tables equal to the text, if the text is ahead.

        `broken`: the tables are what could be saved of a broken database, perhaps not all: where they are not ahead the
        text holds; where they are, the text completes them.
        """
        found = self.text.read()
        if found is None:
            return
        generation = read_generation(connection)
        if found.generation > generation or (broken and found.generation == generation):
            for table, _ in (STREAMS, DVRS):
                connection.execute(f"DELETE FROM {table}")
        elif not broken:
            return
        for (table, key), patches in zip((STREAMS, DVRS), (found.streams, found.dvrs), strict=True):
            rows = [(name, json.dumps(patch)) for name, patch in patches.items()]
            connection.executemany(f"INSERT OR IGNORE INTO {table} ({key}, patch) VALUES (?, ?)", rows)
        _write_generation(connection, max(found.generation, generation))
        self.text.log.warn(
            "{path} has {count} changes by the API that the catalog has lost: they hold (generation {ahead}, {behind})",
            path=self.text.path,
            ahead=found.generation,
            behind=generation,
            count=len(found.streams) + len(found.dvrs),
        )

    def count(self, connection: sqlite3.Connection) -> None:
        """The tables are changed: one generation further."""
        _write_generation(connection, read_generation(connection) + 1)

    def write(self) -> None:
        """The tables into the text, where they are those of the file."""
        if self._transactions.file.refused is None:
            self.text.write(self._transactions.run(read_all))

    def write_behind(self) -> None:
        """In the reactor thread."""
        self._transactions.thread.do(self.write).addErrback(lambda failure: None)  # the database's trouble: known


class SqliteOverrides(Subject):
    """As `subjects.Overrides`; `about`: `STREAMS` or `DVRS`."""

    def __init__(self, transactions: Transactions, about: tuple[str, str], copy: OverridesCopy) -> None:
        super().__init__(transactions)
        self._table, self._key = about
        self._copy = copy

    def all(self) -> Deferred[dict[str, str]]:
        select = f"SELECT {self._key}, patch FROM {self._table} ORDER BY {self._key}"
        return self._transactions.sane(self._table, select, read_named_text).addCallback(dict)

    def replace(self, name: str, patch: str | None) -> Deferred[None]:
        table, key = self._table, self._key

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (name,))
            if patch is not None:
                connection.execute(f"INSERT INTO {table} ({key}, patch) VALUES (?, ?)", (name, patch))
            self._copy.count(connection)

        stored = self._transactions.bounded(work, True, [(table, {key: name})])
        return stored.addCallback(lambda _: self._copy.write_behind())

    def set_aside(self, name: str, reason: str) -> Deferred[None]:
        return self._transactions.set_aside(self._table, (name,), reason)


def read_all(connection: sqlite3.Connection) -> AllOverrides:
    """What the tables say; patches that are none are left out."""
    streams, dvrs = (_patches(connection, table, key) for table, key in (STREAMS, DVRS))
    return AllOverrides(read_generation(connection), streams, dvrs)


def read_generation(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM counter WHERE name = ?", (_COUNTER,)).fetchone()
    return row[0] if row is not None and type(row[0]) is int and 0 <= row[0] < 1 << 62 else 0


def _write_generation(connection: sqlite3.Connection, generation: int) -> None:
    connection.execute("INSERT OR REPLACE INTO counter VALUES (?, ?)", (_COUNTER, generation))


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
