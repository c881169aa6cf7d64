"""
`stream` and `template`: what one stream is made of.

    stream NAME URL;                                stream NAME { input URL priority=2; template cams; dvr @main; }
    template NAME { prefix p; on_publish ...; }     what streams have in common; streams named p/... exist on demand

A directive of the stream replaces the template's directive of the same name; inputs are replaced all together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flussdvr.config.errors import Misread, nearest, shown
from flussdvr.config.input_settings import numbered
from flussdvr.config.lexer import Word, quote
from flussdvr.config.model import StreamSettings, TemplateSettings
from flussdvr.config.names import stream_name_problem
from flussdvr.config.options import Option, OptionKind, rules
from flussdvr.config.parser import Directive
from flussdvr.config.reading import Reading, Rule, Writing, block, line, no_block, read_fields, surplus, written
from flussdvr.config.stream_options import STREAM_RULES, TEMPLATE

STREAM_UNSUPPORTED: dict[str, str] = {
    **dict.fromkeys(
        "meta chunk_duration retry_limit prepush backup transcoder push cache cluster_ingest hls_scte35 "
        "add_audio_only dash_update_period url_prefix cmaf_enabled playback_headers drm group logo max_sessions "
        "max_bitrate webrtc_play webrtc_publish webrtc_abr srt_play srt_publish srt rtp rtmp_play rtsp_play "
        "mpegts_pids mpegts_ac3 mpegts_program mpegts_udp dash_off hds_off hls_off mpegts_off rtsp_off rtmp_off "
        "mss_off webrtc_off api_off motion_detector vision pulse epg_enabled on_stream on_event hds_scte35 ad_inject "
        "substyle teletext cluster_key nopublish publish_enabled noise drm_keyserver silencedetect".split(),
        "",
    ),
    "meta": "use labels",
    "backup": "give a second input with a higher priority number",
    **dict.fromkeys("dash_off hds_off hls_off mpegts_off rtsp_off rtmp_off".split(), "list what is allowed: protocols"),
}


def read_stream(directive: Directive, reading: Reading, templates: Mapping[str, TemplateSettings]) -> StreamSettings:
    """A `stream` or `ondemand`; its name is the directive's first word and has been checked for duplicates."""
    name = directive.words[0]
    if problem := stream_name_problem(name.text):
        reading.problems.error(name.place, problem)
    values = _stream_values(directive, reading, {**STREAM_RULES, **rules([TEMPLATE])}, "stream directive")
    if directive.name.text == "ondemand":
        values.setdefault("static", False)
    template = templates.get(values.get("template", ""))
    if "template" not in values:
        return StreamSettings(name.text, **values)
    if template is None:
        template = TemplateSettings(values["template"])
    values.pop("template")
    return template.stream(name.text, values)


def read_template(directive: Directive, reading: Reading) -> TemplateSettings:
    values = _stream_values(directive, reading, {**STREAM_RULES, **rules([PREFIX])}, "template directive")
    prefixes = values.pop("prefixes", ())
    return TemplateSettings(directive.words[0].text, prefixes, values)


def _stream_values(directive: Directive, reading: Reading, rules: dict[str, Rule], what: str) -> dict[str, Any]:
    rest = replace(directive, words=directive.words[1:])
    fields = rest.fields
    for word in rest.positional:
        if word is not rest.words[0] or what != "stream directive":
            reading.problems.error((problem := surplus(rest, word)).place or word.place, problem.message, problem.hint)
            continue
        fields.insert(0, Directive(Word("input", word.place), (word,)))
    for field in fields:
        if field.name.text == "template" and "template" in rules:
            _check_template(field, reading)
    values, _ = read_fields(rules, fields, what, reading, STREAM_UNSUPPORTED)
    return {**values, "inputs": numbered(values["inputs"])} if values.get("inputs") else values


def _check_template(directive: Directive, reading: Reading) -> None:
    known = reading.declared.get("template", set())
    if directive.words and directive.words[0].text not in known:
        name = directive.words[0]
        reading.problems.error(name.place, f"there is no template {shown(name.text)}", nearest(name.text, known))


def _read_prefix(directive: Directive, reading: Reading) -> tuple[str, ...]:
    no_block(directive)
    for word in directive.words:
        if word.text and (problem := stream_name_problem(word.text)):
            raise Misread(problem.replace("stream name", "prefix"), word.place)
    if not directive.words:
        raise Misread("expected a prefix", hint='"" is every name')
    return tuple(word.text for word in directive.words)


PREFIX = Option(
    "prefix",
    "prefixes",
    OptionKind(
        'list of the first parts of names, repeatable; `""` is any name',
        lambda field: Rule(field, _read_prefix, lambda *_: [], repeated=True),
    ),
    "streams `PREFIX/...` are made when somebody publishes to them. The longest prefix wins",
    "none",
)


def write_stream(stream: StreamSettings, template: TemplateSettings | None, writing: Writing) -> list[str]:
    lines = [line("template", quote(stream.template))] if stream.template is not None else []
    lines += written(STREAM_RULES, stream, StreamSettings(stream.name), writing, template.values if template else None)
    return block(f"stream {quote(stream.name)}", lines)


def write_template(template: TemplateSettings, writing: Writing) -> list[str]:
    lines = [line("prefix", *map(quote, template.prefixes))] if template.prefixes else []
    # What a template sets is written even where it is the default: streams inherit it as set.
    for name, rule in STREAM_RULES.items():
        if rule.field in template.values and name == _first_name(rule.field):
            lines += rule.write(name, template.values[rule.field], writing)
    return block(f"template {quote(template.name)}", lines)


def _first_name(field: str) -> str:
    return next(name for name, rule in STREAM_RULES.items() if rule.field == field)
