"""What is documented is so, what is so is documented, and the examples work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flussdvr.config import authorization, load_config, parse_config, thumbnails
from flussdvr.config.dvr_options import ROOT_RULES
from flussdvr.config.event_sink import SINK_RULES
from flussdvr.config.input_kind import InputKind
from flussdvr.config.inputs import KINDS, OPTIONS
from flussdvr.config.model import Listener
from flussdvr.config.options import rules
from flussdvr.config.server import BLOCKS, SERVER_RULES
from flussdvr.config.stream_options import STREAM_RULES

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text()
EXAMPLES = re.findall(r"```conf\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.mark.parametrize(
    "name",
    sorted(
        {*SERVER_RULES, *BLOCKS, *STREAM_RULES, *ROOT_RULES, *SINK_RULES, *OPTIONS, "priority", "prefix"}
        | {*rules(thumbnails.OPTIONS), *rules(authorization.OPTIONS)}
    ),
)
def test_every_directive_is_documented(name: str) -> None:
    assert re.search(rf"`{name}[` ]", DOCUMENT)


@pytest.mark.parametrize("example", EXAMPLES[1:])
def test_examples(example: str) -> None:
    parse_config(example)


@pytest.mark.parametrize("row", re.findall(r"(?m)^\| `.*;` \|$", DOCUMENT[: DOCUMENT.index("Listener options")]))
def test_examples_of_server_directives(row: str) -> None:
    examples = re.findall(r"`([^`]*;(?: \})?)`", row.split(" | ")[-1])
    assert examples
    for example in examples:
        parse_config(example)


def test_the_example_file() -> None:
    text = (ROOT / "etc" / "flussdvr.conf").read_text()
    assert load_config(str(ROOT / "etc" / "flussdvr.conf")).http == (Listener(8080),)
    # What is commented out works as well once it is not: sentences begin with a capital letter or are headings.
    uncommented = re.sub(r"(?m)^# (?=( *[a-z_]+\b[^\n]*[;{}]( *#[^\n]*)?| *})$)", "", text)
    config = parse_config(uncommented)
    assert set(config.streams) == {"ort", "entrance", "studio"} and "guests" in config.templates
    assert not config.warnings and config.event_sinks and config.dvrs and config.edit_auth and config.https


def test_the_demo_is_reachable_from_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = load_config("etc/demo.conf")
    assert config.http == (Listener(8080, "127.0.0.1"),) and config.rtmp == (Listener(1935, "127.0.0.1"),)
    assert set(config.streams) == {"demo", "pushed"}
    assert config.roots == {str(ROOT / "var" / "archive")}
    assert all(stream.dvr == config.dvrs["main"] for stream in config.streams.values())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_readme_has_each_kind_of_input(kind: InputKind) -> None:
    assert f"`input {kind.schemes[0]}://" in (ROOT / "README.md").read_text()
