"""The registry of inputs: what is read, doubted and shown is what is described."""

from __future__ import annotations

import pytest

from flussdvr.config import ConfigErrors, parse_config
from flussdvr.config.errors import Misread
from flussdvr.config.input_kind import InputKind
from flussdvr.config.inputs import (
    COMMON,
    KINDS,
    NOT_YET,
    OLDER,
    OPTIONS,
    PRIORITY,
    SCHEMES,
    doubt_of_option,
    doubt_of_query,
    input_schema,
    kind_of,
    read_input_url,
    schemes_of,
)

EXAMPLES = [(scheme, scheme + kind.example.removeprefix(kind.schemes[0])) for scheme, kind in SCHEMES.items()]
VALUES = {"priority": "2", "input_timeout": "5", "source_timeout": "5", "program": "7", "bind_ip": "10.0.0.1"}


def test_no_two_kinds_share_a_name_or_a_scheme() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert len(SCHEMES) == sum(len(kind.schemes) for kind in KINDS)
    assert not NOT_YET & set(SCHEMES)


def test_an_option_means_the_same_to_every_kind() -> None:
    for option in (*COMMON, *(option for kind in KINDS for option in kind.options)):
        assert OPTIONS[option.name] is option
        assert all(OPTIONS[name] is option and OLDER[name] == option.name for name in option.older)


@pytest.mark.parametrize(("scheme", "url"), EXAMPLES)
def test_the_example_of_each_scheme_is_a_url_without_a_doubt(scheme: str, url: str) -> None:
    assert read_input_url(scheme.upper() + url.removeprefix(scheme)) == url
    kind = kind_of(url)
    assert kind is not None and scheme in kind.schemes
    (stream,) = parse_config(f'stream a "{url}";').streams.values()
    assert stream.inputs[0].url == url and doubt_of_query(url) is None


@pytest.mark.parametrize("option", [*OPTIONS, PRIORITY.name])
@pytest.mark.parametrize(("scheme", "url"), [one for one in EXAMPLES if one[0] != "file"] + [("file", "file:///a.ts")])
def test_each_option_is_read_and_doubted_where_it_means_nothing(scheme: str, url: str, option: str) -> None:
    config = parse_config(f'stream a {{ input "{url}" {option}={VALUES.get(option, "any")}; }}')
    if option == PRIORITY.name:
        assert config.streams["a"].inputs[0].priority == 2 and not config.warnings
        return
    assert set(config.streams["a"].inputs[0].options) == {OPTIONS[option].name}
    meant = scheme in schemes_of(OPTIONS[option])
    assert [one.message for one in config.warnings] == ([] if meant else [doubt_of_option(option, url)])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.query is not None], ids=lambda kind: kind.name)
def test_a_parameter_that_is_misspelt_is_doubted(kind: InputKind) -> None:
    for name in kind.parameters or ():
        url = f"{kind.example.partition('?')[0]}?{name}=1"
        assert doubt_of_query(url) is None
        sentence, hint = doubt_of_query(url.replace(name, name + "x")) or ("", None)
        assert sentence == f"{kind.schemes[0]}:// has no option '{name}x'" and hint is not None and name in hint


def test_an_option_that_there_is_not_is_an_error_with_what_may_have_been_meant() -> None:
    with pytest.raises(ConfigErrors, match="unknown input option 'programm'; did you mean 'program'"):
        parse_config("stream a { input udp://239.0.0.1:1 programm=2; }")


@pytest.mark.parametrize(
    ("url", "message", "hint"),
    [
        ("udpp://239.0.0.1:1", "unknown kind of input 'udpp://'", "did you mean 'udp'?"),
        ("gopher://h", "unknown kind of input 'gopher://'", "known: fake file publish rtp tshttp tshttps udp"),
        ("rtsp://h", "inputs of the kind rtsp:// are not supported yet", None),
        ("h", "expected a URL such as udp://239.0.0.1:1234, found 'h'", None),
        ("udp://239.0.0.1:x", "'udp://239.0.0.1:x' is not a URL", None),
    ],
)
def test_what_is_no_url_of_an_input(url: str, message: str, hint: str | None) -> None:
    with pytest.raises(Misread) as refusal:
        read_input_url(url)
    assert refusal.value.message.startswith(message) and refusal.value.hint == hint
    assert kind_of(url) is None or hint is None


def test_the_schema_describes_each_kind_for_forms() -> None:
    described = {one["kind"]: one for one in input_schema()["x-kinds"]}
    assert set(described) == {kind.name for kind in KINDS}
    assert described["tshttp"]["schemes"] == ["tshttp", "tshttps"]
    assert described["udp"]["options"] == ["input_timeout", "title", "program", "interface", "bind_ip"]
    assert [one["name"] for one in described["fake"]["query"]][:3] == ["size", "fps", "gop"]
    assert set(OPTIONS) <= set(input_schema()["properties"])
