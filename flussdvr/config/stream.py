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

from flussdvr.config import doubts
from flussdvr.config.countries import COUNTRY
from flussdvr.config.dvr import DVR
from flussdvr.config.errors import Misread, nearest, shown
from flussdvr.config.inputs import (
    NOT_YET,
    OPTIONS,
    PRIORITY,
    doubt_of_option,
    doubt_of_query,
    read_input_url,
    scheme_of,
)
from flussdvr.config.lexer import Word, quote, quote_value
from flussdvr.config.model import (
    STREAM_DEFAULTS,
    AuthSettings,
    InputSettings,
    StreamSettings,
    TemplateSettings,
    ThumbnailSettings,
)
from flussdvr.config.names import stream_name_problem
from flussdvr.config.parser import Directive
from flussdvr.config.reading import (
    Reading,
    Rule,
    Writing,
    block,
    extra,
    flag,
    line,
    listed,
    mapping,
    no_block,
    read_fields,
    read_value,
    report,
    simple,
    surplus,
    the_word,
    written,
)
from flussdvr.config.urls import read_scheme
from flussdvr.config.values import (
    BOOLEAN,
    DIMENSIONS,
    DURATION,
    HTTP_URL,
    SECRET,
    Kind,
    choice,
    integer,
    is_off,
    milliseconds,
    write_boolean,
)

PROTOCOLS = (
    "hls dash player mss rtmp rtsp m4f m4s mseld tshttp webrtc srt shoutcast mp4 jpeg api".split()  # Flussonic's words
)

_INPUT_UNSUPPORTED = dict.fromkeys(
    "frames_timeout headers max_bitrate via allow_if deny_if cluster_key remote_dvr max_retry_timeout "
    "video_timeout audio_timeout fallback rtp tracks apid vpid subtitles no_clients_reconnect_delay dvr "
    "output_audio closed_captions password username token".split(),
    "",
)


def read_input(directive: Directive, reading: Reading) -> tuple[InputSettings, ...]:
    """`input URL key=value...`; the priority 0 means that none was given."""
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
            report(option, "input option", [*OPTIONS, PRIORITY.name], _INPUT_UNSUPPORTED, reading.problems)
    return (InputSettings(url, priority, options),)


def _write_inputs(name: str, inputs: tuple[InputSettings, ...], writing: Writing) -> list[str]:
    lines = []
    for position, source in enumerate(inputs, 1):
        words = [quote(writing.url(source.url))]
        words += [f"priority={source.priority}"] if source.priority != position else []
        lines.append(line(name, *words, *writing.options(source.options)))
    return lines


def _number(values: dict[str, Any]) -> dict[str, Any]:
    """Inputs without a priority have the one of their position."""
    inputs = tuple(replace(i, priority=i.priority or n) for n, i in enumerate(values.get("inputs", ()), 1))
    return {**values, "inputs": inputs} if inputs else values


_THUMBNAILS = {
    "enabled": simple("enabled", Kind(lambda t: t if t == "ondemand" else BOOLEAN.read(t), write_boolean)),
    "url": simple("url", HTTP_URL),
    "size": listed("sizes", DIMENSIONS, repeated=True),
    "sizes": listed("sizes", DIMENSIONS, repeated=True),
}


def _read_thumbnails(directive: Directive, reading: Reading) -> ThumbnailSettings | None:
    options = directive.fields
    for word in directive.positional:
        if word is not directive.words[0]:
            raise surplus(directive, word)
        options.append(Directive(Word("enabled", word.place), (word,)))
    values, _ = read_fields(_THUMBNAILS, options, "thumbnails option", reading)
    return None if values.get("enabled") is False else ThumbnailSettings(**values)


def _write_thumbnails(name: str, value: ThumbnailSettings | None, writing: Writing) -> list[str]:
    if value is None:
        return [line(name, "off")]
    words = [f"enabled={value.enabled}"] if value.enabled == "ondemand" else []
    words += [f"url={quote_value(writing.url(value.url))}"] if value.url else []
    words += [f"size={','.join(map(DIMENSIONS.write, value.sizes))}"] if value.sizes else []
    return [line(name, *words)]


_AUTH = {
    "session_keys": listed("session_keys", doubt=doubts.session_key),
    "max_sessions": simple("max_sessions", integer(1, 1_000_000)),
    "soft_limitation": flag("soft_limitation"),
    "allowed_countries": listed("allowed_countries", COUNTRY),
    "disallowed_countries": listed("disallowed_countries", COUNTRY),
}
_AUTH_UNSUPPORTED = {"domains": ""}
TOKEN_PARAMETERS = ("no_check_ip",)
"""What may stand in the query of `securetoken://KEY`."""


def _auth(field: str) -> Rule:
    """`on_play URL session_keys=ip,name any=thing;`: what is no option of ours is told to the backend."""
    schemes = ("http", "https", "auth", "securetoken") if field == "on_play" else ("http", "https", "auth")

    def read(directive: Directive, reading: Reading) -> AuthSettings | None:
        words = directive.positional
        if not words:
            raise Misread(f"expected a URL after {shown(directive.name.text)}")
        if len(words) > 1:
            raise surplus(directive, words[1])
        if is_off(words[0].text) and not directive.fields:
            return None
        url = words[0].text
        scheme = read_value(Kind(lambda text: read_scheme(text, schemes, ("lua", "securetoken"))), words[0])
        backend = url.partition("://")[2]
        if scheme == "auth" and backend not in (known := reading.declared.get("auth_backend", set())):
            raise Misread(f"there is no auth_backend {shown(backend)}", words[0].place, nearest(backend, known))
        if scheme == "securetoken" and (doubt := doubts.parameter(url, TOKEN_PARAMETERS)) is not None:
            reading.problems.warn(words[0].place, *doubt)
        others: dict[str, str] = {}
        to = "it is told to the backend and changes nothing here" if scheme != "securetoken" else "it changes nothing"
        take = extra(others, reading, directive.name.text, _AUTH, to)

        def other(option: Directive) -> None:
            if option.name.text in _AUTH_UNSUPPORTED:
                report(option, "option", (), _AUTH_UNSUPPORTED, reading.problems)
            else:
                take(option)

        values, places = read_fields(_AUTH, directive.fields, "option", reading, other=other)
        for countries in places.keys() & {"allowed_countries", "disallowed_countries"}:
            reading.need_geoip(places[countries])
        return AuthSettings(url, **values, extra=others)

    def write(name: str, value: AuthSettings | None, writing: Writing) -> list[str]:
        if value is None:
            return [line(name, "off")]
        lines = written(_AUTH, value, AuthSettings(""), replace(writing, defaults=False))
        lines += [line(key, quote(writing.extra(key, text))) for key, text in value.extra.items()]
        return block(line(name, quote(writing.url(value.url)))[:-1], lines)

    return Rule(field, read, write)


_TIMEOUT = simple("input_timeout_s", DURATION, off=True, doubt=doubts.timeout)

STREAM_RULES: dict[str, Rule] = {
    "title": simple("title"),
    "comment": simple("comment"),
    "provider": simple("provider"),
    "position": simple("position", integer(0, 1_000_000_000)),
    "labels": mapping("labels"),
    "disabled": flag("disabled"),
    "static": flag("static"),
    "input": Rule("inputs", read_input, _write_inputs, repeated=True),
    "url": Rule("inputs", read_input, _write_inputs, repeated=True),
    "input_timeout": _TIMEOUT,
    "source_timeout": _TIMEOUT,
    "clients_timeout": simple("clients_timeout_s", DURATION, off=True, doubt=doubts.timeout),
    "password": simple("password", SECRET, doubt=doubts.password),
    "dvr": DVR,
    "dvr_offline": DVR,
    "segment_duration": simple("segment_duration_ms", milliseconds(1000, 15_000)),
    "segment_count": simple("segment_count", integer(2, 1000)),
    "hls_container": simple("hls_container", choice("fmp4", "mpegts")),
    "thumbnails": Rule("thumbnails", _read_thumbnails, _write_thumbnails),
    "protocols": listed("protocols", choice(*PROTOCOLS)),
    "session_keys": listed("session_keys", doubt=doubts.session_key),
    "on_play": _auth("on_play"),
    "auth": _auth("on_play"),
    "on_publish": _auth("on_publish"),
}

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
    values = _stream_values(directive, reading, {**STREAM_RULES, "template": simple("template")}, "stream directive")
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
    prefix = Rule("prefixes", _read_prefix, lambda *_: [], repeated=True)
    values = _stream_values(directive, reading, {**STREAM_RULES, "prefix": prefix}, "template directive")
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
    return _number(values)


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


assert {rule.field for rule in STREAM_RULES.values()} | {"template"} == set(STREAM_DEFAULTS)
