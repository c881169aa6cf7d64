from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from flussdvr.errors import DvrError
from flussdvr.process.secret import FILE, Secret


def test_it_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    state = tmp_path / "not" / "yet"
    secret = Secret.load(str(state))
    assert Secret.load(str(state)) == secret and len(secret.key) == 32
    assert os.listdir(state) == [FILE]
    assert stat.S_IMODE((state / FILE).stat().st_mode) == 0o600
    assert Secret.load(str(tmp_path)) != secret


def test_who_was_faster_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def late(draft: str, path: str) -> None:
        Path(path).write_bytes(b"f" * 32)
        link(draft, path)

    monkeypatch.setattr(os, "link", late)
    assert Secret.load(str(tmp_path)) == Secret(b"f" * 32)
    assert os.listdir(tmp_path) == [FILE]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_broken_one_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DvrError, match="bad_secret"):
        Secret.load(str(tmp_path))
    assert (tmp_path / FILE).read_bytes() == content


def test_keys_for_purposes_are_not_each_other(tmp_path: Path) -> None:
    secret, other = Secret(b"a" * 32), Secret(b"b" * 32)
    keys = {secret.derive("one"), secret.derive("other"), other.derive("one"), secret.key}
    assert len(keys) == 4 and all(len(key) == 32 for key in keys)
    assert secret.derive("one") == Secret(b"a" * 32).derive("one")
    assert "aaa" not in repr(secret)


def test_one_for_a_disk_that_keeps_none() -> None:
    first, second = Secret.passing(), Secret.passing()
    assert len(first.key) == 32 and first.key != second.key
