"""One table for both grammars: what the file takes, documents take, and the document says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.config import (
    Config,
    ConfigErrors,
    authorization,
    dvr_options,
    event_sink,
    listener,
    parse_config,
    server,
    stream_options,
    thumbnails,
)
from flussdvr.config.dvr_document import read_dvr
from flussdvr.config.model import (
    AuthSettings,
    DvrSettings,
    EventSinkSettings,
    Listener,
    StreamSettings,
    ThumbnailSettings,
)
from flussdvr.config.options import TEXT, Option, OptionKind, aliases, keys, rules, whole, word
from flussdvr.config.stream_document import read_stream
from flussdvr.config.values import choice
from flussdvr.errors import DvrError

TABLES = {
    StreamSettings: (*stream_options.OPTIONS, stream_options.TEMPLATE),
    DvrSettings: (dvr_options.ROOT, *dvr_options.OPTIONS),
    ThumbnailSettings: thumbnails.OPTIONS,
    AuthSettings: authorization.OPTIONS,
    EventSinkSettings: event_sink.OPTIONS,
    Listener: (*listener.OPTIONS, *listener.TLS_OPTIONS),
    Config: (server.LENIENT, *server.OPTIONS),
}
ROWS = [(settings, option) for settings, options in TABLES.items() for option in options]


@pytest.mark.parametrize(("settings", "option"), ROWS, ids=[f"{s.__name__}.{o.name}" for s, o in ROWS])
def test_each_option_is_a_field_and_is_explained(settings: type, option: Option) -> None:
    assert option.field in {one.name for one in fields(settings)}
    assert option.help and (option.argument or option.kind.argument)
    assert option.kind.text is not None and option.kind.text(option.field).field == option.field
    assert option.kind.json is None or option.kind.json(option.field).field == option.field


@pytest.mark.parametrize("options", TABLES.values(), ids=[settings.__name__ for settings in TABLES])
def test_no_name_is_given_twice(options: tuple[Option, ...]) -> None:
    names = [name for option in options for name in (option.name, *option.older)]
    assert len(names) == len(set(names))
    assert not aliases(options).keys() & keys(options).keys()


def test_the_names_of_a_table() -> None:
    options = (
        Option("a", "a_s", whole(1, 5), older=("b", "c")),
        Option("d", "ds", TEXT, key="dd", older=("e",), older_keys=("f",)),
        Option("only_file", "x", OptionKind("", whole(1, 2).text)),
        Option("only_json", "y", OptionKind("", json=whole(1, 2).json)),
    )
    assert {name: rule.field for name, rule in rules(options).items()} == {
        **dict.fromkeys("abc", "a_s"),
        **dict.fromkeys("de", "ds"),
        "only_file": "x",
    }
    assert {key: one.field for key, one in keys(options).items()} == {"a": "a_s", "dd": "ds", "only_json": "y"}
    assert aliases(options) == {"b": "a", "c": "a", "f": "dd"}


def test_a_word_of_documents_is_a_word_of_the_file_unless_it_is_said_otherwise() -> None:
    (field,) = keys([Option("a", "a", word(choice("x", "y"), "x or y"))]).values()
    assert field.read("x") == "x"
    with pytest.raises(ValueError, match="expected"):
        field.read("z")
    with pytest.raises(ValueError, match="expected a text"):
        field.read(1)


NOT_SET_DEFAULTS = {"max_size", "max_depth"}
"""Of a sink that writes no file, these are not set."""
DEFAULTS = [
    (settings, option.name, option.default.strip("`"), option.field)
    for settings, option in ROWS
    if re.fullmatch("`[^`]+`|on|off", option.default) and option.name not in NOT_SET_DEFAULTS
]


IN_A_FILE: dict[type, tuple[str, Callable[[Config], Any]]] = {
    StreamSettings: ("stream a { input fake://; %s }", lambda config: config.streams["a"]),
    DvrSettings: ("dvr a { root /storage; %s }", lambda config: config.dvrs["a"]),
    ThumbnailSettings: ("stream a { thumbnails { %s } }", lambda config: config.streams["a"].thumbnails),
    AuthSettings: ("stream a { on_play http://h/ { %s } }", lambda config: config.streams["a"].on_play),
    EventSinkSettings: ("event_sink a { url http://h/; %s }", lambda config: config.event_sinks["a"]),
    Listener: ("http { port 80; %s }", lambda config: config.http[0]),
    Config: ("%s", lambda config: config),
}


@pytest.mark.parametrize(("settings", "name", "default", "field"), DEFAULTS)
def test_the_default_of_the_document_is_the_default(settings: type, name: str, default: str, field: str) -> None:
    text, found = IN_A_FILE[settings]
    without, said = found(parse_config(text % "")), found(parse_config(text % f"{name} {default};"))
    assert getattr(said, field) == getattr(without, field)


def test_defaults_are_tried() -> None:
    assert {settings for settings, *_ in DEFAULTS} == set(TABLES)
    assert {name for _, name, *_ in DEFAULTS} >= {
        "segment_count",
        "input_timeout",
        "static",
        "sync_interval",
        "address",
    }


def of_the_file(text: str) -> StreamSettings | None:
    try:
        return parse_config(f"stream a {{ input fake://; {text} }}").streams["a"]
    except ConfigErrors:
        return None


def of_a_document(document: Mapping[str, Any]) -> StreamSettings | None:
    try:
        return read_stream("a", {"inputs": ["fake://"], **document}, Config())
    except DvrError:
        return None


@given(st.sampled_from(["position", "segment_count"]), st.integers(-5, 2000) | st.integers(999_999_990, 1_000_000_010))
def test_both_grammars_have_the_same_bounds(name: str, number: int) -> None:
    assert of_the_file(f'{name} "{number}";') == of_a_document({name: number})


@given(st.integers(0, 20_000))
def test_a_segment_s_duration_is_the_same_in_seconds_and_in_milliseconds(ms: int) -> None:
    assert of_the_file(f"segment_duration {ms}ms;") == of_a_document({"segment_duration": ms})


@given(st.sampled_from([option.name for option in dvr_options.LIMITS]), st.integers(0, 120))
def test_limits_are_the_same_in_both_grammars(name: str, number: int) -> None:
    try:
        document = read_dvr({"root": "/storage", name: number}, {})
    except DvrError:
        document = None
    stream = of_the_file(f"dvr /storage {{ {name} {number}; }}")
    assert (None if stream is None else stream.dvr) == document


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("title x;", {"title": "x"}),
        ("labels site=north;", {"labels": {"site": "north"}}),
        ("disabled;", {"disabled": True}),
        ("input_timeout off;", {"input_timeout": False}),
        ("clients_timeout 2m;", {"clients_timeout": 120}),
        ("protocols hls,mp4;", {"protocols": ["hls", "mp4"]}),
        ("protocols hls,ftp;", {"protocols": ["hls", "ftp"]}),
        ("session_keys name,ip;", {"session_keys": ["name", "ip"]}),
        ("thumbnails ondemand size=32x32;", {"thumbnails": {"enabled": "ondemand", "sizes": ["32x32"]}}),
        ("thumbnails url=ftp://h/;", {"thumbnails": {"url": "ftp://h/"}}),
        ("hls_container mpegts;", {"hls_container": "mpegts"}),
        ("hls_container avi;", {"hls_container": "avi"}),
        ("on_play http://h/ max_sessions=2;", {"on_play": {"url": "http://h/", "max_sessions": 2}}),
        ("on_publish securetoken://k;", {"on_publish": "securetoken://k"}),
    ],
)
def test_what_one_grammar_says_the_other_says_too(text: str, document: dict[str, Any]) -> None:
    assert of_the_file(text) == of_a_document(document)


def test_what_is_secret_is_known_from_the_table() -> None:
    assert stream_options.SECRET_FIELDS == {"password"}
