from __future__ import annotations

from pathlib import Path

import pytest

from flussdvr.archive.disk.blob import Blob, BlobState
from flussdvr.database.catalog import LinkRow, RootRow, SqliteCatalog
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
    assert result(catalog.adopt_root("/d", "uuid-1")) is False
    ids = result(catalog.insert_blobs([blob(20), blob(10), blob(10, "a/b")]))
    rows = sorted(result(catalog.blobs()), key=lambda row: (row.stream, row.begin_ms))
    assert sorted((row.stream, row.begin_ms, row.id) for row in rows) == [
        ("a/b", 10, ids[2]),
        ("cam", 10, ids[1]),
        ("cam", 20, ids[0]),
    ]
    assert (rows[0].segment_ms, rows[0].sequence, rows[0].after) == (5000, 3, "disk")
    rows[0].end_ms, rows[0].size, rows[0].index_size, rows[0].state = 99, 98, 97, BlobState.CLOSED
    result(catalog.update_blobs([rows[0]]))
    result(catalog.mark([ids[0]], BlobState.DELETING))
    result(catalog.delete_blobs([ids[1]]))
    assert [shown(row) for row in sorted(result(catalog.blobs()), key=lambda row: (row.stream, row.begin_ms))] == [
        (ids[2], "a/b", "/d", 10, 99, 98, 97, BlobState.CLOSED),
        (ids[0], "cam", "/d", 20, 25, 10, 4, BlobState.DELETING),
    ]


def test_a_conflict_changes_nothing(catalog: SqliteCatalog) -> None:
    result(catalog.adopt_root("/d", "uuid-1"))
    result(catalog.insert_blobs([blob(10)]))
    with pytest.raises(DvrError, match="catalog_conflict"):
        result(catalog.insert_blobs([blob(30), blob(10)]))
    with pytest.raises(DvrError, match="catalog_conflict"):
        result(catalog.insert_blobs([blob(40, root="/unknown")]))
    assert [row.begin_ms for row in sorted(result(catalog.blobs()), key=lambda row: (row.stream, row.begin_ms))] == [10]


def test_roots_move_and_are_replaced(catalog: SqliteCatalog) -> None:
    result(catalog.adopt_root("/d", "uuid-1"))
    result(catalog.insert_blobs([blob(10)]))
    assert result(catalog.adopt_root("/e", "uuid-1")) is False, "its import is not done"
    assert result(catalog.import_blobs("/e", [blob(10, root="/e"), blob(20, root="/e")], {}, True))[0] == 0
    assert result(catalog.adopt_root("/e", "uuid-1")) is True
    result(catalog.delete_blobs([row.id for row in result(catalog.blobs()) if row.begin_ms == 20]))
    assert [row.root for row in sorted(result(catalog.blobs()), key=lambda row: (row.stream, row.begin_ms))] == ["/e"]
    assert result(catalog.adopt_root("/e", "uuid-2")) is False
    assert result(catalog.blobs()) == []
    assert result(catalog.roots()) == [RootRow("uuid-1", None), RootRow("uuid-2", "/e", False)]
    result(catalog.adopt_root("/e", "uuid-1"))
    assert [row.root for row in sorted(result(catalog.blobs()), key=lambda row: (row.stream, row.begin_ms))] == ["/e"]


def test_locks_jobs_overrides(catalog: SqliteCatalog) -> None:
    assert result(catalog.locks()) == {} == result(catalog.export_jobs())
    locks = RangeSet([Range(1, 5), Range(7, 9)])
    result(catalog.replace_locks("cam", RangeSet([Range(0, 100)])))
    result(catalog.replace_locks("cam", locks))
    assert result(catalog.locks()) == {"cam": locks}
    result(catalog.save_export_job("b", 1, "{}"))
    result(catalog.save_export_job("a", 2, "{}"))
    result(catalog.save_export_job("b", 3, '{"status":"done"}'))
    assert list(result(catalog.export_jobs()).items()) == [("b", '{"status":"done"}'), ("a", "{}")]
    result(catalog.delete_export_job("a"))
    assert list(result(catalog.export_jobs())) == ["b"]
    result(catalog.replace_override("cam", '{"title":"x"}'))
    assert result(catalog.overrides()) == {"cam": '{"title":"x"}'}
    result(catalog.replace_dvr_override("main", '{"root":"/a"}'))
    result(catalog.replace_dvr_override("main", '{"root":"/b"}'))
    assert result(catalog.dvr_overrides()) == {"main": '{"root":"/b"}'}
    result(catalog.replace_override("cam", None))
    result(catalog.replace_dvr_override("main", None))
    assert result(catalog.overrides()) == {} == result(catalog.dvr_overrides())


def test_sign_ins_that_were_ended_are_remembered_for_their_time(catalog: SqliteCatalog) -> None:
    result(catalog.sign_out("a", 1000))
    result(catalog.sign_out("b", 2000))
    result(catalog.sign_out("a", 1500))
    assert result(catalog.signed_out(1499)) == {"a": 1500, "b": 2000}
    assert result(catalog.signed_out(1500)) == {"b": 2000}
    assert result(catalog.signed_out(0)) == {"b": 2000}


def test_a_closed_catalog_refuses(catalog: SqliteCatalog) -> None:
    result(catalog.close())
    result(catalog.close())
    with pytest.raises(DvrError, match="catalog_closed"):
        result(catalog.blobs())


def test_it_is_durable(tmp_path: Path) -> None:
    path = str(tmp_path / "c.sqlite")
    catalog = SqliteCatalog(path, InlineWorker())
    result(catalog.open())
    assert catalog.run(lambda c: c.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    assert catalog.run(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (2,)
    result(catalog.adopt_root("/d", "uuid-1"))
    other = SqliteCatalog(path, InlineWorker())
    result(other.open())
    assert result(other.roots()) == [RootRow("uuid-1", "/d", False)]


def test_nobody_else_reads_the_passwords_in_it(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    for _ in range(2):
        catalog = SqliteCatalog(str(path), InlineWorker())
        result(catalog.open())
        result(catalog.replace_override("cam", '{"password": "s3cret"}'))
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
    assert result(catalog.links()) == []
    late, early = link("late", created_ms=9), link("early", created_ms=3)
    for one in (late, early):
        result(catalog.insert_link(one))
    assert result(catalog.links()) == [early, late]
    with pytest.raises(DvrError, match="catalog_conflict"):
        result(catalog.insert_link(early))
    result(catalog.store_link_uses([(id_of("late"), 7), (id_of("gone"), 3)]))
    result(catalog.revoke_link(id_of("late")))
    found = result(catalog.links())[1]
    assert (found.uses, found.revoked) == (7, True)
    result(catalog.delete_links([id_of("early"), id_of("gone")]))
    assert [one.id for one in result(catalog.links())] == [id_of("late")]


def test_a_link_is_used_by_so_many_and_no_more(catalog: SqliteCatalog) -> None:
    result(catalog.insert_link(link("x", 2)))
    result(catalog.insert_link(link("any")))
    given = [
        result(catalog.use_link(id_of("x"), viewer)) for viewer in (b"ann", b"ann", b"bob", b"eve", b"ann", b"eve")
    ]
    assert given == [1, 1, 2, None, 2, None]
    assert [result(catalog.use_link(id_of("any"), b"%d" % number)) for number in range(3)] == [1, 2, 3]
    assert [one.uses for one in result(catalog.links())] == [2, 3]
    result(catalog.revoke_link(id_of("x")))
    assert result(catalog.use_link(id_of("x"), b"ann")) is None
    result(catalog.delete_links([id_of("any")]))
    assert result(catalog.use_link(id_of("any"), b"0")) is None
    result(catalog.insert_link(link("any", 1)))
    assert result(catalog.use_link(id_of("any"), b"new")) == 1, "who used another of this name is forgotten"
