from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flussdvr.archive.disk.placement import place


def test_a_disk_is_where_it_was() -> None:
    found = place({"/a": "1", "/b": "2"}, (), {"/a": "1", "/b": "2"}, ["/a", "/b"])
    assert (found.adopt, found.copies, found.forgotten) == ({}, {}, [])


def test_a_disk_was_mounted_elsewhere() -> None:
    assert place({"/b": "1"}, (), {"/a": "1"}, ["/b"]).adopt == {"/b": "1"}
    assert place({"/a": "2", "/b": "1"}, (), {"/a": "1", "/b": "2"}, ["/a", "/b"]).adopt == {"/a": "2", "/b": "1"}
    assert place({"/b": "1"}, ["/a"], {"/a": "1"}, ["/b"]).adopt == {"/b": "1"}, "the old one hangs, and is not used"


def test_the_copy_that_is_configured_is_the_disk() -> None:
    found = place({"/old": "1", "/new": "1"}, (), {"/old": "1"}, ["/new"])
    assert (found.adopt, found.forgotten, found.copies) == ({"/new": "1"}, ["/old"], {})


def test_where_both_are_configured_the_known_one_is_the_disk() -> None:
    found = place({"/copy": "1", "/known": "1"}, (), {"/known": "1"}, ["/copy", "/known"])
    assert (found.adopt, found.copies, found.forgotten) == ({}, {"/copy": "/known"}, [])
    found = place({"/copy": "1"}, ["/known"], {"/known": "1"}, ["/copy", "/known"])
    assert (found.adopt, found.copies) == ({}, {"/copy": "/known"}), "though it hangs"
    assert place({"/b": "1", "/a": "1"}, (), {}, ["/b", "/a"]).copies == {"/a": "/b"}, "none is known: the first"


paths, uuids = st.sampled_from(["/a", "/b", "/c", "/d"]), st.sampled_from(["1", "2", "3"])


@given(
    st.dictionaries(paths, uuids),
    st.sets(paths),
    st.dictionaries(paths, uuids).filter(lambda known: len(set(known.values())) == len(known)),
    st.lists(paths, unique=True),
)
def test_every_disk_is_at_one_path(
    found: dict[str, str], silent: set[str], known: dict[str, str], configured: list[str]
) -> None:
    silent -= found.keys()
    placed = place(found, silent, known, configured)
    after = {path: uuid for path, uuid in known.items() if uuid not in placed.adopt.values()} | placed.adopt
    assert len(set(after.values())) == len(after)
    for path, uuid in found.items():
        is_home = after.get(path) == uuid
        assert is_home + (path in placed.copies) + (path in placed.forgotten) == 1
        if path in placed.copies:
            assert path in configured and after[placed.copies[path]] == uuid
        if path in placed.forgotten:
            assert path not in configured
