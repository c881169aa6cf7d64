"""
What is built and shipped is what the sources in ui/ say, is whole, and asks nothing of the browser that the page's
Content-Security-Policy forbids. And what `npm run check` has to say of the sources.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
UI = REPOSITORY / "ui"
STATIC = REPOSITORY / "flussdvr/web/ui/static"
ASSETS = sorted((STATIC / "assets").iterdir())
HANGS_S = 900
"""Twenty times as long as it takes: this is no measurement."""
THREADS = ["ps", "-eLo", "pid,tid,ni,stat,wchan:20,time,comm,args", "--sort=-time"]
PAGES = ("embed.html", "index.html")


def sources() -> dict[str, str]:
    """Name under ui/ -> SHA-256 of everything that the build is made of, as ui/sources-digest.ts has it."""
    listed = re.search(r"ROOTS = \[(.*?)\]", (UI / "sources-digest.ts").read_text(), re.DOTALL)
    assert listed is not None
    roots = [UI / root for root in re.findall(r'"(.*?)"', listed[1])]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*")) if file.is_file()]
    names = [str(file.relative_to(UI)) for file in files if not re.search(r"\.test\.tsx?$", file.name)]
    return {name: sha256((UI / name).read_bytes()).hexdigest() for name in names}


def test_build_is_not_behind_its_sources() -> None:
    lines = (STATIC / "SOURCES").read_text().splitlines()
    built = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    now = sources()
    differ = sorted(name for name in built.keys() | now.keys() if built.get(name) != now.get(name))
    assert differ == [], "the build is behind its sources: run `make ui`"


def test_no_asset_is_missing_or_left_over() -> None:
    texts = [(STATIC / page).read_text() for page in PAGES]
    texts += [asset.read_text() for asset in ASSETS if asset.suffix in (".js", ".css")]
    named = {name for text in texts for name in re.findall(r"[\w.-]+-[\w-]{8}\.(?:js|css|svg|png|woff2)\b", text)}
    assert named == {asset.name for asset in ASSETS}
    assert all((STATIC / name).is_file() for text in texts for name in re.findall(r'"/ui/([\w./-]+)"', text))


class Tags(HTMLParser):
    """What of a page would need `unsafe-inline`."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or (tag == "script" and not (names.get("src") or "").startswith("/ui/assets/")):
            self.inline.append(tag)
        self.inline += [f"{tag} {name}" for name in names if name == "style" or name.startswith("on")]
        self.inline += [f"{tag} {value}" for value in names.values() if (value or "").startswith("javascript:")]


@pytest.mark.parametrize("page", PAGES)
def test_pages_have_nothing_inline(page: str) -> None:
    tags = Tags()
    tags.feed((STATIC / page).read_text())
    assert tags.inline == []


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.name)
def test_assets_make_no_code_of_text(asset: Path) -> None:
    if asset.suffix == ".js":
        assert re.findall(r"(?<![\w.$])(?:eval|Function)\(", asset.read_text()) == []
    assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//.{30}", asset.read_text()) == []


def test_sources_make_no_elements_of_text() -> None:
    """Names and titles are other people's: they become text nodes, never HTML."""
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write")
    found = {name for name in sources() if name.startswith("src/") and forbidden.search((UI / name).read_text())}
    assert found == set()


@pytest.mark.alone
def test_types_format_and_units() -> None:
    """`npm run check`; needs `npm ci` in ui/, which tests/install-system-packages does."""
    if shutil.which("npm") is None or not (UI / "node_modules/.package-lock.json").is_file():
        pytest.skip("ui/node_modules is missing: tests/install-system-packages makes it")
    command = ["npm", "run", "--silent", "check"]
    with subprocess.Popen(
        command, cwd=UI, env=dict(os.environ, CI="1"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as check:  # fmt: skip
        try:
            said, _ = check.communicate(timeout=HANGS_S)
        except subprocess.TimeoutExpired:
            threads = subprocess.run(THREADS, capture_output=True, text=True, check=False).stdout
            os.killpg(check.pid, signal.SIGKILL)
            pytest.fail(f"it hangs; it said {check.communicate()[0]!r}, and these run:\n{threads}")
    assert check.returncode == 0, said
