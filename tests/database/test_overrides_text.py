from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.database.overrides_text import AllOverrides, parse_overrides
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.threads import InlineWorker
from tests.archive.store import result


def opened(folder: Path) -> SqliteCatalog:
    catalog = SqliteCatalog(str(folder / "catalog.sqlite"), InlineWorker())
    result(catalog.open())
    return catalog


def text(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "overrides.json").read_text())
    return found


def test_each_change_is_in_the_text(tmp_path: Path) -> None:
    catalog = opened(tmp_path)
    assert not (tmp_path / "overrides.json").exists(), "nobody has changed anything"
    result(catalog.stream_overrides.replace("ort", '{"title": "a"}'))
    result(catalog.dvr_overrides.replace("main", '{"root": "/x"}'))
    assert text(tmp_path) == {"generation": 2, "streams": {"ort": {"title": "a"}}, "dvrs": {"main": {"root": "/x"}}}
    result(catalog.stream_overrides.replace("ort", None))
    assert text(tmp_path) == {"generation": 3, "streams": {}, "dvrs": {"main": {"root": "/x"}}}


def test_the_newer_one_holds(tmp_path: Path) -> None:
    catalog = opened(tmp_path)
    result(catalog.stream_overrides.replace("ort", '{"title": "old"}'))
    result(catalog.close())
    shutil.copytree(tmp_path, tmp_path / "backup")
    catalog = opened(tmp_path)
    result(catalog.stream_overrides.replace("ort", '{"title": "new"}'))
    result(catalog.close())
    for path in tmp_path.glob("catalog.sqlite*"):
        path.unlink()
    shutil.copy(tmp_path / "backup" / "catalog.sqlite", tmp_path / "catalog.sqlite")
    catalog = opened(tmp_path)  # a catalog that was restored from a backup, beside a text that was not
    assert result(catalog.stream_overrides.all()) == {"ort": '{"title": "new"}'}
    result(catalog.close())
    shutil.copy(tmp_path / "backup" / "overrides.json", tmp_path / "overrides.json")
    catalog = opened(tmp_path)  # a text that could not follow
    assert result(catalog.stream_overrides.all()) == {"ort": '{"title": "new"}'}
    assert text(tmp_path)["streams"] == {"ort": {"title": "new"}}


def test_who_edits_the_text_changes_nothing(tmp_path: Path) -> None:
    catalog = opened(tmp_path)
    result(catalog.stream_overrides.replace("ort", '{"title": "a"}'))
    result(catalog.close())
    (tmp_path / "overrides.json").write_text('{"generation": 1, "streams": {"ort": {"title": "b"}}}')
    assert result(opened(tmp_path).stream_overrides.all()) == {"ort": '{"title": "a"}'}
    assert text(tmp_path)["streams"] == {"ort": {"title": "a"}}


def test_a_text_that_can_not_be_written_is_written_later(tmp_path: Path) -> None:
    catalog = opened(tmp_path)
    (tmp_path / "overrides.json.new").mkdir()
    result(catalog.stream_overrides.replace("ort", "{}"))
    assert catalog.state().copy_refused is not None and result(catalog.stream_overrides.all()) == {"ort": "{}"}
    (tmp_path / "overrides.json.new").rmdir()
    result(catalog.retry())
    assert catalog.state().copy_refused is None and text(tmp_path)["streams"] == {"ort": {}}


@pytest.mark.parametrize("damage", ["", "{", "[]", "[" * 100_000, '{"generation": 1e400}', '{"generation": "1"}', "\0"])
def test_a_damaged_text_is_moved_aside(tmp_path: Path, damage: str) -> None:
    catalog = opened(tmp_path)
    result(catalog.stream_overrides.replace("ort", "{}"))
    result(catalog.close())
    (tmp_path / "overrides.json").write_text(damage)
    assert result(opened(tmp_path).stream_overrides.all()) == {"ort": "{}"}
    (aside,) = tmp_path.glob("overrides.json.broken-*")
    assert aside.read_text() == damage and text(tmp_path)["streams"] == {"ort": {}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["generation", "streams", "dvrs"])


@given(json_values | st.dictionaries(keys, json_values | st.dictionaries(st.text(), st.just({}))))
def test_whatever_json_it_is(value: object) -> None:
    try:
        found = parse_overrides(json.dumps(value).encode())
    except ValueError:
        return
    assert found.generation >= 0 and all(isinstance(patch, dict) for patch in found.streams.values())


@given(st.binary())
def test_whatever_bytes_they_are(data: bytes) -> None:
    try:
        assert isinstance(parse_overrides(data), AllOverrides)
    except ValueError:
        return
