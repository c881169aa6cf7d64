"""
Catalogs as earlier versions left them: `tests/database/sqlite/fixtures/README` says how they came to be.

Run as a program, it writes the fixture of the newest schema, if there is none yet.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.database.rows import LinkRow
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.threads import InlineWorker
from flussdvr.timeline import HOUR_MS, Range, RangeSet
from tests.archive.store import result

FIXTURES = Path(__file__).parent / "fixtures"
BEGIN_MS = 1_795_194_000_000
HERE, AWAY, OTHER = (f"{digits}-2222-4333-8444-555555555555" for digits in ("11111111", "aaaaaaaa", "bbbbbbbb"))
HOLES = (
    Range(BEGIN_MS + HOUR_MS + 1000, BEGIN_MS + HOUR_MS + 2000),
    Range(BEGIN_MS + HOUR_MS + 5000, BEGIN_MS + HOUR_MS + 6000),
)
LOCKS = {
    "cam": RangeSet([Range(BEGIN_MS, BEGIN_MS + 5000), Range(BEGIN_MS + HOUR_MS, BEGIN_MS + HOUR_MS + 7000)]),
    "a/bü": RangeSet([Range(BEGIN_MS, BEGIN_MS + 1)]),
}
JOB = '{"id": "job-1", "stream": "cam", "status": "done"}'
PATCH, DVR_PATCH = '{"title": "Gate ü"}', '{"root": "/srv/dvr"}'
EVENTS = [(1, b'{"event": "a"}'), (2, b'{"event": "b"}'), (3, b'{"event": "c"}')]


def versions() -> list[int]:
    """Of the fixtures, in order."""
    return sorted(int(path.stem.removeprefix("catalog-v")) for path in FIXTURES.glob("catalog-v*.sql"))


def unpack(version: int, path: str) -> None:
    """Make the catalog of a version again."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FIXTURES / f"catalog-v{version}.sql").read_text())


def blobs() -> list[Blob]:
    """Those of every fixture, as the newest schema keeps them, in the order of their ids."""
    root, closed = "/srv/dvr", BlobState.CLOSED
    return [
        Blob("cam", root, BEGIN_MS, BEGIN_MS + 60_000, 1000, 100, closed, 5000, 3, "disk", 1),
        Blob(
            "cam",
            root,
            BEGIN_MS + HOUR_MS,
            BEGIN_MS + HOUR_MS + 60_000,
            1001,
            100,
            closed,
            5000,
            4,
            None,
            2,
            HOLES,
            300,
            4,
        ),
        Blob(
            "cam",
            root,
            BEGIN_MS + 2 * HOUR_MS,
            BEGIN_MS + 2 * HOUR_MS + 60_000,
            1002,
            100,
            BlobState.OPEN,
            5000,
            5,
            None,
            3,
        ),
        Blob("a/bü", root, BEGIN_MS, BEGIN_MS + HOUR_MS, 5000, 200, closed, 2000, 0, "codec", 4),
        Blob(
            "cam", "/srv/old", BEGIN_MS - HOUR_MS, BEGIN_MS - HOUR_MS + 60_000, 900, 90, closed, 5000, 2, "restart", 5
        ),
    ]


def links() -> list[LinkRow]:
    """As they are made: one that two may use, one that any number may."""
    end_ms, expires_ms = BEGIN_MS + 5000, BEGIN_MS + HOUR_MS
    return [
        LinkRow("00112233445566ff", "cam", BEGIN_MS, end_ms, ("mp4", "hls"), expires_ms, 2, 0, None, "admin", BEGIN_MS),
        LinkRow(
            "ff112233445566ff", "a/bü", BEGIN_MS, end_ms, ("mp4",), expires_ms, None, 0, "Fair", "admin", BEGIN_MS + 1
        ),
    ]


def fill(catalog: SqliteCatalog) -> None:
    """What is in all of the fixtures, through the API of today."""
    for path, uuid in (("/srv/old", AWAY), ("/srv/dvr", HERE), ("/srv/old", OTHER)):
        result(catalog.roots.adopt(path, uuid))
    result(catalog.blobs.insert(blobs()))
    result(catalog.blobs.update([blob for blob in blobs() if blob.closed]))
    for stream, locks in LOCKS.items():
        result(catalog.locks.replace(stream, locks))
    result(catalog.export_jobs.save("job-1", BEGIN_MS, JOB))
    result(catalog.stream_overrides.replace("cam", PATCH))
    result(catalog.dvr_overrides.replace("main", DVR_PATCH))
    result(catalog.deletions.add("cam", Range(BEGIN_MS + 2000, BEGIN_MS + 3000), True))
    result(catalog.sign_outs.add("sign-in-1", BEGIN_MS + HOUR_MS))
    first, second = links()
    for link in (first, second):
        result(catalog.links.insert(link))
    result(catalog.links.use(first.id, b"viewer-1"))
    result(catalog.links.store_uses([(second.id, 7)]))
    result(catalog.links.revoke(second.id))
    result(catalog.spool.store("usage", EVENTS[:2], 0))
    result(catalog.spool.store("usage", EVENTS[2:], 1))
    catalog.run(lambda connection: connection.execute("INSERT INTO lock VALUES ('cam', -5, 5)"))
    result(catalog.locks.all())
    result(catalog.import_blobs("/srv/dvr", [], {}, True))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/catalog.sqlite"
        catalog = SqliteCatalog(path, InlineWorker())
        result(catalog.open())
        fill(catalog)
        result(catalog.close())
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE counter SET value = ? WHERE name = 'opened'", (BEGIN_MS // 1000,))
            connection.execute("UPDATE set_aside SET found_ms = ?", (BEGIN_MS,))
            connection.commit()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            *lines, commit = connection.iterdump()
        with (FIXTURES / f"catalog-v{version}.sql").open("x") as fixture:
            fixture.write("\n".join([*lines, f"PRAGMA user_version = {version};", commit, ""]))


if __name__ == "__main__":
    main()
