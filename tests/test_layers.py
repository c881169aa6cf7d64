"""
The layers: who may import whom. Each room knows the rooms in its line, and nothing else.

A line reads from the bottom of the house up: what stands below knows nothing of what stands above. Whoever needs
something from above defines what it needs (a `Protocol`, a callable) and is given it by `flussdvr.server`, the only
place that names everything.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import flussdvr

PACKAGE = Path(flussdvr.__file__).parent
VALUES = "errors glob json_text media timeline events/types"
"""Plain values: they know nothing but each other."""
WORKING = f"{VALUES} threads caching logs process clock"
"""What everything may use."""

MAY_IMPORT = {
    # room             what it may import
    "errors":          "",
    "glob":            "",
    "json_text":       "",
    "media":           "",
    "timeline":        "",
    "events/types":    "",
    "logs":            "",
    "caching":         "",
    "threads":         "errors",
    "formats":         "errors media timeline",
    "body":            "errors formats threads",
    "process":         "errors body threads",
    "clock":           "body process threads events/types",
    "config":          "errors glob logs",
    "archive/disk":    f"{WORKING} formats body",
    "database":        f"{WORKING} body archive/disk",
    "database/sqlite": f"{WORKING} body archive/disk database",
    "archive":         f"{WORKING} formats body database database/sqlite archive/disk",
    "objects":         "errors body config",
    "events":          f"{WORKING} config database",
    "live":            f"{WORKING} formats",
    "ingest":          f"{WORKING} formats config",
    "playback":        f"{WORKING} formats body archive archive/disk live",
    "urls":            "errors media timeline playback",
    "access":          f"{WORKING} config database playback urls",
    "export":          f"{WORKING} config formats body database objects playback",
    "control":         f"{WORKING} config database archive archive/disk live ingest",
    "web/http":        f"{WORKING} config formats body urls access",
    "web/api":         f"{WORKING} config database archive archive/disk live ingest events playback access urls export"
                       " control monitoring web/http",
    "web/media":       f"{WORKING} config body database ingest playback access urls web/http web/api",
    "web/ui":          f"{WORKING} config body database access urls web/http web/api web/media",
    "monitoring":      f"{WORKING} config database archive archive/disk events control",
    "web":             f"{WORKING} monitoring web/http web/api web/media web/ui",
    "commands":        "errors config archive archive/disk",
    "cli":             "errors timeline config commands archive",
}  # fmt: skip
NAMES_EVERYTHING = {"server", "service", "__main__"}


def rooms_of(module: str) -> str:
    """The room of `flussdvr.<module>`."""
    first, _, rest = module.partition(".")
    second = rest.partition(".")[0]
    return f"{first}/{second}" if f"{first}/{second}" in MAY_IMPORT else first


def imports(source: str, package: str = "flussdvr") -> Iterator[str]:
    """The modules of the package that a module imports, also for types alone, without the package's name."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{one.name}" for one in node.names]
        elif isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        yield from (name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}."))


def found() -> dict[str, dict[str, set[str]]]:
    """Room -> room that it imports -> the modules that do."""
    edges: dict[str, dict[str, set[str]]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for name in imports(file.read_text()):
            if name not in ("__version__",) and rooms_of(name) != rooms_of(module):
                edges.setdefault(rooms_of(module), {}).setdefault(rooms_of(name), set()).add(module)
    return edges


def test_every_room_imports_what_it_may() -> None:
    wrong = [
        f"{', '.join(sorted(modules))} import{'s' if len(modules) == 1 else ''} {there}"
        for room, others in found().items()
        for there, modules in others.items()
        if room not in NAMES_EVERYTHING and there not in MAY_IMPORT.get(room, "").split()
    ]
    assert wrong == []


def test_only_one_room_knows_sqlite() -> None:
    """Another database can answer beside it."""
    those = {
        file for file in PACKAGE.rglob("*.py") if re.search(r"(?m)^\s*(?:import|from) sqlite3\b", file.read_text())
    }
    assert those and {file.parent for file in those} == {PACKAGE / "database" / "sqlite"}


def test_nothing_is_above_what_is_above_it() -> None:
    order = list(TopologicalSorter({room: others.split() for room, others in MAY_IMPORT.items()}).static_order())
    assert set(order) == set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from flussdvr.web import media", ["web.media"]),
        ("def f():\n    from flussdvr.live.lane import Lane", ["live.lane.Lane"]),
        ("if TYPE_CHECKING:\n    import flussdvr.server", ["server"]),
        ("from twisted.web import server\nimport os", []),
    ],
)
def test_imports_are_seen(source: str, names: list[str]) -> None:
    assert list(imports(source)) == names


def test_at_most_ten_modules_lie_about() -> None:
    loose = {file.stem for file in PACKAGE.glob("*.py")} - {"__init__"}
    assert len(loose) <= 10, sorted(loose)
