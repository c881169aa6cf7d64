"""Scripts of tests/browser, which drive Chromium; skips the test where something that they need is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = Path(__file__).parents[2] / "browser"
PROGRAMS = ("chromium-headless-shell", "chromium")


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    """`node script arguments`; what it prints may be read."""
    hint = "tests/install-system-packages does it"
    if shutil.which("node") is None or not any(map(shutil.which, PROGRAMS)):
        pytest.skip(f"node or {PROGRAMS[0]} is not installed: {hint}")
    if not (BROWSER / "node_modules/axe-core").is_dir():
        pytest.skip(f"tests/browser/node_modules is missing: {hint}")
    command = ["node", str(BROWSER / script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
