from __future__ import annotations

from pathlib import Path

import pytest

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.database.rows import LinkRow, RootRow
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.errors import DvrError
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range, RangeSet
from tests.archive.store import result


@pytest.fixture(params=["file", "ram"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteCatalog:
    path = ":memory:" if request.param == "ram" else str(tmp_path / "state" / "catalog.sqlite")
    made = SqliteCatalog(path, InlineWorker())
    result(made.open())
    return made


def blob(begin_ms: int, stream: str = "cam", root: str = "/d") -> Blob:
    return Blob(stream, root, begin_ms, begin_ms + 5, 10, 4, BlobState.OPEN, 5000, 3, "disk")


def shown(one: Blob) -> tuple[object, ...]:
    return one.id, one.stream, one.root, one.begin_ms, one.end_ms, one.size, one.index_size, one.state


def test_blobs(catalog: SqliteCatalog) -> None:
    assert result(catalog.roots.adopt("/d", "uuid-1")) is False
    ids = result(catalog.blobs.insert([blob(20), blob(10), blob(10, "a/b")]))
    rows = sorted(result(catalog.blobs.all()), key=lambda row: (row.stream, row.begin_ms))
    assert sorted((row.stream, row.begin_ms, row.id) for row in rows) == [
        ("a/b", 10, ids[2]),
        ("cam", 10, ids[1]),
        ("cam", 20, ids[0]),
    ]
    assert (rows[0].segment_ms, rows[0].sequence, rows[0].after) == (5000, 3, "disk")
    rows[0].end_ms, rows[0].size, rows[0].index_size, rows[0].state = 99, 98, 97, BlobState.CLOSED
    result(catalog.blobs.update([rows[0]]))
    result(catalog.blobs.mark([ids[0]], BlobState.DELETING))
    result(catalog.blobs.delete([ids[1]]))
    assert [shown(row) for row in sorted(result(catalog.blobs.all()), key=lambda row: (row.stream, row.begin_ms))] == [
        (ids[2], "a/b", "/d", 10, 99, 98, 97, BlobState.CLOSED),
        (ids[0], "cam", "/d", 20, 25, 10, 4, BlobState.DELETING),
    ]


def test_a_conflict_changes_nothing(catalog: SqliteCatalog) -> None:
    result(catalog.roots.adopt("/d", "uuid-1"))
    result(catalog.blobs.insert([blob(10)]))
    with pytest.raises(DvrError, match="catalog_conflict"):
        result(catalog.blobs.insert([blob(30), blob(10)]))
    with pytest.raises(DvrError, match="catalog_conflict"):
        result(catalog.blobs.insert([blob(40, root="/unknown")]))
    assert [
        row.begin_ms for row in sorted(result(catalog.blobs.all()), key=lambda row: (row.stream, row.begin_ms))
    ] == [10]


def test_roots_move_and_are_replaced(catalog: SqliteCatalog) -> None:
    result(catalog.roots.adopt("/d", "uuid-1"))
    result(catalog.blobs.insert([blob(10)]))
    assert result(catalog.roots.adopt("/e", "uuid-1")) is False, "its import is not done"
    assert result(catalog.import_blobs("/e", [blob(10, root="/e"), blob(20, root="/e")], {}, True))[0] == 0
    assert result(catalog.roots.adopt("/e", "uuid-1")) is True
    result(catalog.blobs.delete([row.id for row in result(catalog.blobs.all()) if row.begin_ms == 20]))
    assert [row.root for row in sorted(result(catalog.blobs.all()), key=lambda row: (row.stream, row.begin_ms))] == [
        "/e"
    ]
    assert result(catalog.roots.adopt("/e", "uuid-2")) is False
    assert result(catalog.blobs.all()) == []
    assert result(catalog.roots.all()) == [RootRow("uuid-1", None), RootRow("uuid-2", "/e", False)]
    result(catalog.roots.adopt("/e", "uuid-1"))
    assert [row.root for row in sorted(result(catalog.blobs.all()), key=lambda row: (row.stream, row.begin_ms))] == [
        "/e"
    ]


def test_locks_jobs_overrides(catalog: SqliteCatalog) -> None:
    assert result(catalog.locks.all()) == {} == result(catalog.export_jobs.all())
    locks = RangeSet([Range(1, 5), Range(7, 9)])
    result(catalog.locks.replace("cam", RangeSet([Range(0, 100)])))
    result(catalog.locks.replace("cam", locks))
    assert result(catalog.locks.all()) == {"cam": locks}
    result(catalog.export_jobs.save("b", 1, "{}"))
    result(catalog.export_jobs.save("a", 2, "{}"))
    result(catalog.export_jobs.save("b", 3, '{"status":"done"}'))
    assert list(result(catalog.export_jobs.all()).items()) == [("b", '{"status":"done"}'), ("a", "{}")]
    result(catalog.export_jobs.delete("a"))
    assert list(result(catalog.export_jobs.all())) == ["b"]
    result(catalog.stream_overrides.replace("cam", '{"title":"x"}'))
    assert result(catalog.stream_overrides.all()) == {"cam": '{"title":"x"}'}
    result(catalog.dvr_overrides.replace("main", '{"root":"/a"}'))
    result(catalog.dvr_overrides.replace("main", '{"root":"/b"}'))
    assert result(catalog.dvr_overrides.all()) == {"main": '{"root":"/b"}'}
    result(catalog.stream_overrides.replace("cam", None))
    result(catalog.dvr_overrides.replace("main", None))
    assert result(catalog.stream_overrides.all()) == {} == result(catalog.dvr_overrides.all())


def test_sign_ins_that_were_ended_are_remembered_for_their_time(catalog: SqliteCatalog) -> None:
    result(catalog.sign_outs.add("a", 1000))
    result(catalog.sign_outs.add("b", 2000))
    result(catalog.sign_outs.add("a", 1500))
    assert result(catalog.sign_outs.all(1499)) == {"a": 1500, "b": 2000}
    assert result(catalog.sign_outs.all(1500)) == {"b": 2000}
    assert result(catalog.sign_outs.all(0)) == {"b": 2000}


def test_a_closed_catalog_refuses(catalog: SqliteCatalog) -> None:
    result(catalog.close())
    result(catalog.close())
    with pytest.raises(DvrError, match="catalog_closed"):
        result(catalog.blobs.all())


def test_it_is_durable(tmp_path: Path) -> None:
    path = str(tmp_path / "c.sqlite")
    catalog = SqliteCatalog(path, InlineWorker())
    result(catalog.open())
    assert catalog.run(lambda c: c.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    assert catalog.run(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (2,)
    result(catalog.roots.adopt("/d", "uuid-1"))
    other = SqliteCatalog(path, InlineWorker())
    result(other.open())
    assert result(other.roots.all()) == [RootRow("uuid-1", "/d", False)]


def test_nobody_else_reads_the_passwords_in_it(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    for _ in range(2):
        catalog = SqliteCatalog(str(path), InlineWorker())
        result(catalog.open())
        result(catalog.stream_overrides.replace("cam", '{"password": "s3cret"}'))
        assert {one.name: one.stat().st_mode & 0o077 for one in tmp_path.iterdir()} == dict.fromkeys(
            ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm", "overrides.json"), 0
        )
        result(catalog.close())
        path.chmod(0o644)  # as it was made before


def id_of(name: str) -> str:
    """The id of a link: 8 bytes in hexadecimal."""
    return name.encode().hex().rjust(16, "0")


def link(name: str, max_uses: int | None = None, created_ms: int = 1) -> LinkRow:
    return LinkRow(id_of(name), "a/b", 5, 10, ("mp4", "hls"), 1000, max_uses, 0, None, "admin", created_ms)


def test_links(catalog: SqliteCatalog) -> None:
    assert result(catalog.links.all()) == []
    late, early = link("late", created_ms=9), link("early", created_ms=3)
    for one in (late, early):
        result(catalog.links.insert(one))
    assert result(catalog.links.all()) == [early, late]
    with pytest.raises(DvrError, match="catalog_conflict"):
        result(catalog.links.insert(early))
    result(catalog.links.store_uses([(id_of("late"), 7), (id_of("gone"), 3)]))
    result(catalog.links.revoke(id_of("late")))
    found = result(catalog.links.all())[1]
    assert (found.uses, found.revoked) == (7, True)
    result(catalog.links.delete([id_of("early"), id_of("gone")]))
    assert [one.id for one in result(catalog.links.all())] == [id_of("late")]


def test_a_link_is_used_by_so_many_and_no_more(catalog: SqliteCatalog) -> None:
    result(catalog.links.insert(link("x", 2)))
    result(catalog.links.insert(link("any")))
    given = [
        result(catalog.links.use(id_of("x"), viewer)) for viewer in (b"ann", b"ann", b"bob", b"eve", b"ann", b"eve")
    ]
    assert given == [1, 1, 2, None, 2, None]
    assert [result(catalog.links.use(id_of("any"), b"%d" % number)) for number in range(3)] == [1, 2, 3]
    assert [one.uses for one in result(catalog.links.all())] == [2, 3]
    result(catalog.links.revoke(id_of("x")))
    assert result(catalog.links.use(id_of("x"), b"ann")) is None
    result(catalog.links.delete([id_of("any")]))
    assert result(catalog.links.use(id_of("any"), b"0")) is None
    result(catalog.links.insert(link("any", 1)))
    assert result(catalog.links.use(id_of("any"), b"new")) == 1, "who used another of this name is forgotten"
