"""
The inputs of a stream: what follows `input`, whose kinds are described in `inputs`.

    input URL priority=2 key=value;        in the file; the priority is the position where none is given
    [{"url", "priority", ...}] or "URL"    in documents
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flussdvr.config.documents import Document, Field, each, number, read_document, text, the_object
from flussdvr.config.errors import Misread, shown
from flussdvr.config.inputs import (
    MAX_PRIORITY,
    NOT_YET,
    OLDER,
    OPTIONS,
    PRIORITY,
    doubt_of_option,
    doubt_of_query,
    read_input_url,
    scheme_of,
)
from flussdvr.config.lexer import quote
from flussdvr.config.model import InputSettings
from flussdvr.config.options import OptionKind
from flussdvr.config.parser import Directive
from flussdvr.config.reading import Reading, Rule, Writing, line, read_value, report, surplus, the_word
from flussdvr.config.values import Kind
from flussdvr.logs.redaction import redact_url

_UNSUPPORTED = dict.fromkeys(
    "frames_timeout headers max_bitrate via allow_if deny_if cluster_key remote_dvr max_retry_timeout "
    "video_timeout audio_timeout fallback rtp tracks apid vpid subtitles no_clients_reconnect_delay dvr "
    "output_audio closed_captions password username token".split(),
    "",
)


def _read(directive: Directive, reading: Reading) -> tuple[InputSettings, ...]:
    """The priority 0 means that none was given."""
    words = directive.positional
    if not words:
        raise Misread(f"expected a URL after {shown(directive.name.text)}")
    if len(words) > 1:
        raise surplus(directive, words[1])
    if (scheme := scheme_of(words[0].text)) in NOT_YET:
        reading.problems.unsupported(words[0].place, f"inputs of the kind {scheme}:// are not supported yet")
        return ()
    url = read_value(Kind(read_input_url), words[0])
    if (doubt := doubt_of_query(url)) is not None:
        reading.problems.warn(words[0].place, *doubt)
    priority, options = 0, {}
    seen: set[str] = set()
    for option in directive.fields:
        name = option.name.text
        if name in seen:
            raise Misread(f"{shown(name)} is given twice", option.place)
        seen.add(name)
        if name == PRIORITY.name:
            priority = read_value(PRIORITY.kind, the_word(option))
        elif (known := OPTIONS.get(name)) is not None:
            word = the_word(option)
            value = read_value(known.kind, word)
            reading.doubt(word, value, known.doubt)
            if (sentence := doubt_of_option(name, url)) is not None:
                reading.problems.warn(option.place, sentence)
            options[known.name] = str(value)
        else:
            report(option, "input option", [*OPTIONS, PRIORITY.name], _UNSUPPORTED, reading.problems)
    return (InputSettings(url, priority, options),)


def _write(name: str, inputs: tuple[InputSettings, ...], writing: Writing) -> list[str]:
    lines = []
    for position, source in enumerate(inputs, 1):
        words = [quote(writing.url(source.url))]
        words += [f"priority={source.priority}"] if source.priority != position else []
        lines.append(line(name, *words, *writing.options(source.options)))
    return lines


def numbered(inputs: tuple[InputSettings, ...]) -> tuple[InputSettings, ...]:
    """Inputs without a priority have the one of their position."""
    return tuple(replace(one, priority=one.priority or position) for position, one in enumerate(inputs, 1))


def _option(kind: Kind) -> Callable[[Any], str]:
    return lambda value: str(kind.read(str(value)))


_FIELDS = {
    "url": Field("url", lambda value: read_input_url(text(value))),
    PRIORITY.name: Field("priority", number(1, MAX_PRIORITY)),
    **{name: Field(one.name, _option(one.kind)) for name, one in OPTIONS.items()},
}


def _read_documents(value: Any) -> tuple[InputSettings, ...]:
    return each(_read_document)([value] if isinstance(value, str) else value)


def _read_document(value: Any, index: int) -> InputSettings:
    if isinstance(value, str):
        value = {"url": value}
    given = {key: one for key, one in the_object(value).items() if key != "stats"}
    options = read_document(_FIELDS, given, OLDER)
    if "url" not in options:
        raise Misread("a url is missing")
    return InputSettings(options.pop("url"), options.pop("priority", index + 1), options)


def _write_documents(inputs: tuple[InputSettings, ...]) -> list[Document]:
    return [{"url": one.url, "priority": one.priority, **one.options} for one in inputs]


def _mask(shown: list[Document]) -> list[Document]:
    return [{**one, "url": redact_url(one["url"])} for one in shown]


_SCHEMA = {"type": "array", "items": {"$ref": "#/components/schemas/input"}, "x-also": ["string"]}

INPUTS = OptionKind(
    "URL with options, repeatable",
    lambda field: Rule(field, _read, _write, repeated=True),
    lambda field: Field(field, _read_documents, _write_documents, _mask, _SCHEMA),
)
