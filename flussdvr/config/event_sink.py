"""
Who is told events.

    event_sink NAME { url http://...; only event=a,b media=cam*; except media=test; anything else; }
"""

from __future__ import annotations

from dataclasses import replace

from flussdvr.config import doubts
from flussdvr.config.errors import Misread, nearest, shown
from flussdvr.config.lexer import quote, quote_value
from flussdvr.config.model import EventSinkSettings, Filter
from flussdvr.config.options import Option, OptionKind, rules, whole, word
from flussdvr.config.parser import Directive
from flussdvr.config.reading import Reading, Rule, Writing, block, extra, line, no_block, read_fields, surplus, written
from flussdvr.config.urls import read_scheme
from flussdvr.config.values import DURATION, SIZE, Kind, choice, split

LEVELS = "debug info notice warning error alert critical".split()


def _filters(field: str) -> Rule:
    def read(directive: Directive, reading: Reading) -> tuple[Filter, ...]:
        no_block(directive)
        found: dict[str, tuple[str, ...]] = {}
        for one in directive.words:
            values = tuple(split([one.value.text]))
            if one.key is None or not values:
                raise Misread(f"expected key=value such as event=stream_*, found {shown(one.text)}", one.place)
            if one.key.text in found:
                raise Misread(f"{shown(one.key.text)} is given twice", one.place, "list the values with commas")
            found[one.key.text] = values
            for pattern in values:
                reading.filtered.append((one.place, one.key.text, pattern))
        if not found:
            raise Misread(f"expected key=value after {shown(directive.name.text)}")
        if field == "except_" and all("*" in patterns for patterns in found.values()):
            reading.problems.warn(
                directive.place, "this excepts every event that has such a field: the sink is told none"
            )
        return (found,)

    def write(name: str, value: tuple[Filter, ...], writing: Writing) -> list[str]:
        return [line(name, *(f"{k}={quote_value(','.join(v))}" for k, v in each.items())) for each in value]

    return Rule(field, read, write, repeated=True)


def _read_sink_url(text: str) -> str:
    path = text
    if not text.startswith("/"):
        scheme = read_scheme(text, ("http", "https", "log", "jsonlog"), ("lua", "pid"))
        path = text.partition("://")[2] if scheme.endswith("log") else "/url"
        text = scheme + text[len(scheme) :]
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise Misread(f"expected the absolute path of a file as in {text.partition('/')[0]}///var/log/events.log")
    if path.endswith(".lua"):
        raise Misread("scripts are not run here")
    return text


_FILTER = OptionKind("`key=value,value` ..., repeatable", _filters)
_DURATION = word(DURATION, "duration", doubt=doubts.timeout)

OPTIONS = (
    Option(
        "url",
        "url",
        word(Kind(_read_sink_url), "`http://`, `https://`, `jsonlog:///path`, `log:///path` or `/path`"),
        "`http://` and `https://`: events are POSTed there as a JSON list, see [events](events.md). `jsonlog://` and a "
        "path: a file, one JSON object per line. `log://`: a file, one line of text per event",
        "needed",
    ),
    Option(
        "only",
        "only",
        _FILTER,
        "all keys must match, any value of each; `*` is a wildcard; several `only` are alternatives",
        "all events",
    ),
    Option("except", "except_", _FILTER, "these are not sent", "none"),
    Option(
        "throttle_delay",
        "throttle_delay_s",
        word(DURATION, "duration", doubt=doubts.delay),
        "events are collected for so long",
        "`0`",
    ),
    Option(
        "resend_limit",
        "resend_limit",
        whole(0, 10_000_000, "number"),
        "how many wait for a sink that does not answer; more are dropped, and `events_dropped` says how many",
        "no limit",
        older=("resend_notifications_limit",),
    ),
    Option(
        "resend_timeout",
        "resend_timeout_s",
        _DURATION,
        "until it is tried again",
        "`10s`",
        older=("resend_notifications_timeout",),
    ),
    Option(
        "max_size",
        "max_size",
        word(SIZE, "size", doubt=doubts.log_size),
        "a file that has grown so large is renamed to `path.1`, `path.1` to `path.2` ...",
        "`10M`",
    ),
    Option("max_depth", "max_depth", whole(0, 10_000, "number"), "so many renamed files are kept", "`10`"),
    Option(
        "level",
        "level",
        word(choice(*LEVELS), " ".join(f"`{level}`" for level in LEVELS)),
        "events of this level and above",
        "all",
        older=("verbose",),
    ),
)
SINK_RULES = rules(OPTIONS)


def read_event_sink(directive: Directive, reading: Reading) -> EventSinkSettings:
    rest = replace(directive, words=directive.words[1:])
    if rest.positional:
        raise surplus(rest, rest.positional[0])
    others: dict[str, str] = {}
    take = extra(others, reading, "event_sink", SINK_RULES, "it is added to each event and changes nothing here")
    values, places = read_fields(
        SINK_RULES,
        rest.fields,
        "event_sink option",
        reading,
        other=take,
    )
    if "url" not in values:
        if "url" not in places:
            near = [key for key in others if nearest(key, ["url"])]
            hint = f"did you mean url where it says {shown(near[0])}?" if near else "expected url http://...;"
            raise Misread(f"event_sink {shown(directive.words[0].text)} has no url", hint=hint)
        values["url"] = ""
    return EventSinkSettings(directive.words[0].text, **values, extra=others)


def write_event_sink(sink: EventSinkSettings, writing: Writing) -> list[str]:
    lines = written(SINK_RULES, sink, EventSinkSettings("", ""), writing)
    lines += [line(key, quote(writing.extra(key, value))) for key, value in sink.extra.items()]
    return block(f"event_sink {quote(sink.name)}", lines)
