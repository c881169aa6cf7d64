import gzip
import re
import zipfile
from pathlib import Path

from flussdvr.web.ui.files import BUILT, read_files


def test_they_are_read_whole_with_their_types(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>" * 100)
    (tmp_path / "assets" / "a-1.js").write_text("x" * 1000)
    (tmp_path / "assets" / "p.png").write_bytes(b"y" * 1000)
    (tmp_path / "tiny.svg").write_bytes(b"<svg/>")
    for unknown in ("SOURCES", ".hidden", "a.py", "js"):
        (tmp_path / unknown).write_text("no")
    files = read_files(tmp_path)
    assert {path: file.content_type for path, file in files.items()} == {
        "index.html": "text/html; charset=utf-8",
        "assets/a-1.js": "text/javascript; charset=utf-8",
        "assets/p.png": "image/png",
        "tiny.svg": "image/svg+xml",
    }
    script = files["assets/a-1.js"]
    assert script.data == b"x" * 1000 and script.gzipped is not None and gzip.decompress(script.gzipped) == script.data
    assert files["assets/p.png"].gzipped is None and files["tiny.svg"].gzipped is None
    assert len({file.etag for file in files.values()}) == 4
    assert read_files(tmp_path) == files


def test_they_may_lie_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as package:
        package.writestr("static/assets/a.css", "a{}")
        package.writestr("static/index.html", "<!doctype html>")
    assert set(read_files(zipfile.Path(tmp_path / "package.zip", "static/"))) == {"index.html", "assets/a.css"}


def test_there_need_not_be_any(tmp_path: Path) -> None:
    assert read_files(tmp_path / "nothing") == {}


def test_what_the_package_has_is_whole() -> None:
    files = read_files(BUILT)
    for page in ("index.html", "embed.html"):
        text = files[page].data.decode()
        for url in re.findall(r'(?:src|href)="(/[^"]*)"', text):
            assert url.removeprefix("/ui/") in files, f"{page} names {url}"
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", text), (
            "the page's own policy forbids it"
        )
