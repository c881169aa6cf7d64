"""The operators' commands: what they print and what they exit with."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

from flussdvr.cli import duration_ms, main, utc_ms
from flussdvr.errors import DvrError, Kind

Out = pytest.CaptureFixture[str]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Stands in for the archive's tools; every call is noted."""
    made: list[tuple[object, ...]] = []
    tools = types.ModuleType("flussdvr.archive.tools")

    class Report:
        ok = False

        def __str__(self) -> str:
            return "1 blob is broken"

    def cut(*arguments: object) -> None:
        made.append(("cut", *arguments))
        if arguments[1] == "nothing":
            raise DvrError(Kind.NOT_FOUND, "no_recordings", "Nothing is recorded\nthere")
        if arguments[1] == "bug":
            raise ZeroDivisionError("division by zero")

    tools.reindex = lambda *a: made.append(("reindex", *a)) or "2 blobs"  # type: ignore[attr-defined]
    tools.fsck = lambda *a: made.append(("fsck", *a)) or Report()  # type: ignore[attr-defined]
    tools.cut = cut  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flussdvr.archive.tools", tools)
    return made


def test_check_config(tmp_path: Path, capsys: Out) -> None:
    file = tmp_path / "x.conf"
    file.write_text("edit_auth a secret;\nstream s fake://;\n")
    assert main(["check-config", str(file)]) == 0
    assert capsys.readouterr() == ("edit_auth a ***;\nstream s {\n  input fake://;\n}\n", "")
    assert main(["check-config", "--show-secrets", str(file)]) == 0
    assert "edit_auth a secret;" in capsys.readouterr().out
    assert main(["check-config", "--defaults", str(file)]) == 0
    assert "segment_duration 5;" in capsys.readouterr().out
    assert main(["check-config", "--quiet", str(file)]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_config_prints_every_error_with_its_line(tmp_path: Path, capsys: Out) -> None:
    file = tmp_path / "x.conf"
    file.write_text("htp 80;\n\tstream s { inptu fake://; }\n")
    assert main(["check-config", str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.split("\n") == [
        f"{file}:1:1: error: unknown directive 'htp'; did you mean 'http' or 'https'?",
        "htp 80;",
        "^",
        f"{file}:2:13: error: unknown stream directive 'inptu'; did you mean 'input'?",
        "\tstream s { inptu fake://; }",
        "\t           ^",
        f"flussdvr: 2 errors in {file}",
        "",
    ]


def test_check_config_prints_warnings_under_lenient(tmp_path: Path, capsys: Out) -> None:
    file = tmp_path / "x.conf"
    file.write_text("lenient;\nrtsp 554;\n")
    assert main(["check-config", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out == "lenient;\n" and f"{file}:2:1: warning: 'rtsp' is not supported yet: ignored" in err


def test_check_config_of_no_file(tmp_path: Path, capsys: Out) -> None:
    assert main(["check-config", str(tmp_path / "no")]) == 1
    assert "cannot be read: No such file or directory" in capsys.readouterr().err


def test_archive_tools(calls: list[tuple[object, ...]], tmp_path: Path, capsys: Out) -> None:
    root, out = str(tmp_path), str(tmp_path / "o.mp4")
    assert main(["reindex", root]) == 0
    assert main(["fsck", root]) == 1
    assert main(["fsck", root, "--repair", "--state-dir", root]) == 1
    assert main(["cut", root, "a/b", "2026-11-20T17:00:00Z", "1h30m", out]) == 0
    assert capsys.readouterr() == ("2 blobs\n1 blob is broken\n1 blob is broken\n", "")
    assert calls == [
        ("reindex", root, None),
        ("fsck", root, False, None),
        ("fsck", root, True, root),
        ("cut", root, "a/b", 1_795_194_000_000, 5_400_000, out),
    ]


def test_errors_are_one_line(calls: list[tuple[object, ...]], tmp_path: Path, capsys: Out) -> None:
    root, there = str(tmp_path), tmp_path / "there.mp4"
    there.write_bytes(b"")
    for arguments, says in (
        (["fsck", root + "/no"], f"flussdvr: {root}/no: No such file or directory\n"),
        (["fsck", str(there)], f"flussdvr: {there}: Not a directory\n"),
        (["cut", root, "a", "1", "1", str(there)], f"flussdvr: {there}: File exists\n"),
        (["cut", root, "nothing", "1", "1", root + "/o"], "flussdvr: Nothing is recorded there\n"),
        (
            ["cut", root, "bug", "1", "1", root + "/o"],
            "flussdvr: ZeroDivisionError: division by zero (FLUSSDVR_TRACEBACK=1 shows where)\n",
        ),
    ):
        assert main(arguments) == 1
        assert capsys.readouterr() == ("", says)
    assert [call[2] for call in calls] == ["nothing", "bug"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["cut", "/", "a", "yesterday", "1", "o"], ["cut", "/", "a", "1", "0", "o"], ["check-config"]],
)
def test_usage(arguments: list[str], capsys: Out) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage: flussdvr" in capsys.readouterr().err


def test_help_names_every_command(capsys: Out) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("check-config", "reindex", "fsck", "rename", "cut"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1795194000", 1_795_194_000_000),
        ("1795194000.25", 1_795_194_000_250),
        ("1795194000123", 1_795_194_000_123),
        ("2026-11-20T17:00:00Z", 1_795_194_000_000),
        ("2026-11-20 17:00", 1_795_194_000_000),
        ("2026-11-20T20:00:00.5+03:00", 1_795_194_000_500),
    ],
)
def test_utc_ms(text: str, expected: int) -> None:
    assert utc_ms(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("90", 90_000), ("2.5", 2500), ("90s", 90_000), ("1h30m", 5_400_000)])
def test_duration_ms(text: str, expected: int) -> None:
    assert duration_ms(text) == expected


def test_checking_a_configuration_imports_no_server() -> None:
    code = "import flussdvr.cli, sys; print(*(m for m in ('klein', 'twisted', 'numpy', 'av') if m in sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


def test_the_plugin_is_listed_without_importing_what_installs_a_reactor() -> None:
    code = (
        "import sys; from twisted.plugin import getPlugins; from twisted.application.service import IServiceMaker\n"
        "print('flussdvr' in {p.tapname for p in getPlugins(IServiceMaker)},"
        " *(m for m in ('klein', 'flussdvr', 'twisted.internet.reactor') if m in sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "True"
