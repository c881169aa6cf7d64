"""What documents and code refer to is there: files, headings, functions, modules."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.test_layers import MAY_IMPORT, NAMES_EVERYTHING

ROOT = Path(__file__).parents[1]
TEXT = {".py", ".md", ".ts", ".toml", ".cfg", ".conf", ".yml", ".sh", ""}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
NAMED = re.compile(r"(?<![\w./-])((?:docs|newsfragments)/[\w./-]+\.\w+)")
"""A document that is named by its path from the top, also in a comment."""
MODULE = re.compile(r"`(?:flussdvr/)?((?:[a-z0-9_]+/)*[a-z0-9_]+\.py)`")
"""A module, as documents name it: with its room, with or without the package."""
CITED = re.compile(r"(?<![\w-])(compat(?:ibility)? notes|product\.md|house\.md|held\.md)\b")
"""Names of documents that are not in the tree."""


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    if listed == [""]:  # unpacked, without git
        listed = [
            str(path.relative_to(ROOT)) for place in ("flussdvr", "docs", "etc") for path in ROOT.glob(f"{place}/**/*")
        ]
        listed += [path.name for path in ROOT.glob("*.md")]
    return [name for name in listed if Path(name).suffix in TEXT and "/static/" not in name and (ROOT / name).is_file()]


FILES = tracked()
DOCUMENTS = [name for name in FILES if name.endswith(".md") and not name.startswith(("newsfragments/", "ui/"))]


def prose(name: str) -> str:
    return (ROOT / name).read_text(errors="replace")


@cache
def anchors(name: str) -> set[str]:
    """Those of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(name), re.MULTILINE)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in plain}


def defined(source: str) -> set[str]:
    """`function`, `Class`, `Class.method` and module constants of a source."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            members = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
            names |= {node.name, *(f"{node.name}.{one.name}" for one in members)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def broken_links(name: str, text: str) -> list[str]:
    broken = []
    for label, target in LINK.findall(text):
        path, _, anchor = target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists():
            broken.append(f"{name}: {target} is not there")
        elif anchor and file.suffix == ".md" and anchor not in anchors(str(file.resolve().relative_to(ROOT))):
            broken.append(f"{name}: {target} has no such heading")
        elif (
            file.suffix == ".py"
            and re.fullmatch(r"`[\w.]+(?<!\.py)(\(\))?`", label)
            and label.strip("`()") not in defined(file.read_text())
        ):
            broken.append(f"{name}: {path} defines no {label}")
    return broken


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    """A link to a module whose text is code names a function, a class or a method that the module defines."""
    assert broken_links(name, prose(name)) == []


def test_a_link_to_what_is_not_there_is_found() -> None:
    module = "flussdvr/timeline.py"
    text = f"[a](no.md) [b](docs/api.md#no-such-heading) [`Rangee`]({module}) [`Range`]({module}) [x](https://x/y)"
    assert [line.rpartition(": ")[2] for line in broken_links("README.md", text)] == [
        "no.md is not there",
        "docs/api.md#no-such-heading has no such heading",
        "flussdvr/timeline.py defines no `Rangee`",
    ]


def test_named_documents_exist() -> None:
    missing = [
        f"{name}: {path}"
        for name in FILES
        if not name.startswith("debian/")
        for path in NAMED.findall(prose(name))
        if not (ROOT / path).exists()
    ]
    assert missing == []


def test_modules_that_documents_name_exist() -> None:
    missing = [
        f"{name}: {path}"
        for name in DOCUMENTS
        if name != "CHANGELOG.md"
        for path in MODULE.findall(prose(name))
        if not (ROOT / path).exists() and not (ROOT / "flussdvr" / path).exists()
    ]
    assert missing == []


def test_only_documents_of_the_tree_are_cited() -> None:
    assert [
        f"{name}: {found}"
        for name in FILES
        if name != "tests/test_documents.py"
        for found in CITED.findall(prose(name))
    ] == []


def test_the_picture_has_every_room() -> None:
    """The rooms of `test_layers` in the picture of the architecture: by their folder, or by their name."""
    picture = prose("docs/architecture.md").split("```")[1]
    for room in {*MAY_IMPORT, *NAMES_EVERYTHING} - {"__main__"}:
        first, _, second = room.partition("/")
        lines = [line for line in picture.splitlines() if re.search(rf"\b{first}\b", line)]
        assert any(re.search(rf"\b{second}\b", line) for line in lines), room


def test_the_version_is_the_same_everywhere() -> None:
    version = re.search(r"^version = (.+)$", prose("setup.cfg"), re.MULTILINE)
    assert version is not None
    found = {
        "debian/changelog": re.findall(r"^flussdvr \((.+?)\)", prose("debian/changelog"))[:1],
        "README.md": re.findall(r"flussdvr_(.+?)_amd64\.deb", prose("README.md")),
        "docs/api.md": re.findall(r'"server_version": "(.+?)"', prose("docs/api.md")),
    }
    assert found == {name: [version[1]] for name in found}
