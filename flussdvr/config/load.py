"""
From files to a `Config`.

    FILE, then conf.d/*.conf beside it in the order of their names: one list of directives
    dvr, auth_backend    first, because templates and streams refer to them, wherever they stand
    template             then stream
    everything else

Blocking: it reads files. Called before the reactor runs, or in a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flussdvr.config import doubts
from flussdvr.config.auth_backend import read_auth_backend
from flussdvr.config.dvr import read_root
from flussdvr.config.errors import Misread, Place, Problems, shown
from flussdvr.config.event_sink import read_event_sink
from flussdvr.config.model import Config, Listener, StreamSettings, TemplateSettings
from flussdvr.config.names import archive_owner
from flussdvr.config.parser import Directive, parse
from flussdvr.config.reading import Reading, read_fields, report
from flussdvr.config.server import BLOCKS, SERVER_RULES, SERVER_UNSUPPORTED
from flussdvr.config.stream import read_stream, read_template
from flussdvr.config.values import is_off

T = TypeVar("T")

MAX_FILE_BYTES = 8 << 20
MAX_FILES = 4096
MAX_TOTAL_BYTES = 64 << 20


def load_config(path: str, base: str | None = None) -> Config:
    """
    Read the file and its `conf.d`; relative paths in it are under `base` (the working directory).

    Raises ConfigErrors with everything that is wrong, also if the file cannot be read.
    """
    problems = Problems()
    directives: list[Directive] = []
    total = 0
    for file in [path, *_drop_ins(path, problems)]:
        text = _read(file, problems)
        total += len(text)
        if total > MAX_TOTAL_BYTES:
            problems.error(Place(file), f"the configuration is longer than {MAX_TOTAL_BYTES >> 20} MiB")
            break
        directives += parse(text, file, problems)
    return _config(directives, path, problems, base)


def parse_config(text: str, file: str = "<text>", base: str | None = None, known: Config | None = None) -> Config:
    """The same of a text, without `conf.d`. It may refer to storages, templates and backends of `known`."""
    problems = Problems()
    if len(text) > MAX_FILE_BYTES:
        problems.error(Place(file), f"the configuration is longer than {MAX_FILE_BYTES >> 20} MiB")
        problems.check()
    return _config(parse(text, file, problems), file, problems, base, known)


def _drop_ins(path: str, problems: Problems) -> list[str]:
    directory = os.path.join(os.path.dirname(path), "conf.d")
    try:
        names = sorted(n for n in os.listdir(directory) if n.endswith(".conf") and not n.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        problems.error(Place(directory), f"cannot be read: {getattr(error, 'strerror', None) or error}")
        return []
    if len(names) > MAX_FILES:
        problems.error(Place(directory), f"there are more than {MAX_FILES} files in it")
    return [os.path.join(directory, name) for name in names[:MAX_FILES]]


def _read(file: str, problems: Problems) -> str:
    try:
        # O_NONBLOCK: opening a FIFO that somebody left there must not hang the server.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                problems.error(Place(file), "is not a regular file")
                return ""
            data = opened.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        problems.error(Place(file), f"cannot be read: {getattr(error, 'strerror', None) or error}")
        return ""
    if len(data) > MAX_FILE_BYTES:
        problems.error(Place(file), f"is longer than {MAX_FILE_BYTES >> 20} MiB")
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        begin = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[begin : error.start].decode("utf-8", "replace")) + 1
        problems.error(Place(file, data.count(b"\n", 0, error.start) + 1, column), "expected UTF-8")
        return ""


def _config(
    directives: list[Directive], main: str, problems: Problems, base: str | None, known: Config | None = None
) -> Config:
    problems.lenient = any(d.name.text == "lenient" and not any(is_off(w.text) for w in d.words) for d in directives)
    reading = Reading(problems, os.getcwd() if base is None else base)
    named = {kind: _named(directives, kind, problems) for kind in BLOCKS if kind != "ondemand"}
    reading.declared = {kind: {d.words[0].text for d in found} for kind, found in named.items()}
    if known is not None:
        reading.declared["dvr"] |= known.dvrs.keys()
        reading.declared["auth_backend"] |= known.auth_backends.keys()
        reading.declared["template"] |= known.templates.keys()
    reading.has_geoip = (known is not None and known.geoip is not None) or any(
        d.name.text == "geoip" and d.words for d in directives
    )

    reading.dvrs = dict(known.dvrs) if known is not None else {}
    reading.dvrs |= _each(named["dvr"], lambda d: read_root(d, reading), problems)
    backends = _each(named["auth_backend"], lambda d: read_auth_backend(d, reading), problems)
    templates = dict(known.templates) if known is not None else {}
    templates |= _each(named["template"], lambda d: read_template(d, reading), problems)
    streams = _each(named["stream"], lambda d: read_stream(d, reading, templates), problems)
    sinks = _each(named["event_sink"], lambda d: read_event_sink(d, reading), problems)

    rest = [d for d in directives if d.name.text not in BLOCKS]
    for directive in rest:
        if directive.name.text not in SERVER_RULES:
            report(directive, "directive", (*SERVER_RULES, *BLOCKS), SERVER_UNSUPPORTED, problems)
    server = [d for d in rest if d.name.text in SERVER_RULES]
    values, _ = read_fields(SERVER_RULES, server, "directive", reading)
    if "state_dir" in values and "export_roots" not in values:
        values["export_roots"] = (os.path.join(values["state_dir"], "exports"),)
    _check_listeners(values, server, problems)
    _check_archives(named["stream"], problems)
    if not problems.errors:  # what is missing may only be misspelt
        _doubt_filters(reading, streams, templates)
        _doubt_streams(named["stream"], streams, problems)
    warnings = problems.check()
    return Config(
        **values,
        dvrs=reading.dvrs,
        templates=templates,
        streams=streams,
        event_sinks=sinks,
        auth_backends=backends,
        warnings=warnings,
    )


def _named(directives: list[Directive], kind: str, problems: Problems) -> list[Directive]:
    """The directives of one kind that have a name; two of one name are an error with both places."""
    found: list[Directive] = []
    first: dict[str, Place] = {}
    for directive in directives:
        if directive.name.text != kind and not (kind == "stream" and directive.name.text == "ondemand"):
            continue
        if not directive.words:
            problems.error(directive.place, f"expected a name after {shown(directive.name.text)}")
            continue
        name = directive.words[0]
        if kind != "stream" and (not name.text or any(c in "/@" or c.isspace() for c in name.text)):
            problems.error(name.place, f"expected a name for this {kind}, found {shown(name.text)}")
        elif (place := first.setdefault(name.text, name.place)) is not name.place:
            problems.error(name.place, f"{kind} {shown(name.text)} is defined twice", f"first at {place}")
        found.append(directive)  # read it all the same: it may have errors of its own
    return found


def _each(named: list[Directive], read: Callable[[Directive], T], problems: Problems) -> dict[str, T]:
    found: dict[str, T] = {}
    for directive in named:
        try:
            found.setdefault(directive.words[0].text, read(directive))
        except Misread as misread:
            problems.error(misread.place or directive.place, misread.message, misread.hint)
    return found


def _check_listeners(values: Mapping[str, Any], server: list[Directive], problems: Problems) -> None:
    """Two listeners on one port are an error, whatever their protocols; port 0 is any free one."""
    used: dict[int, list[tuple[str, str]]] = {}
    for protocol in ("http", "https", "rtmp"):
        for listener in values.get(protocol, ()):
            assert isinstance(listener, Listener)
            others = used.setdefault(listener.port, [])
            # `::` counts as every address of both families, as it does for Linux by default.
            everywhere = {"", "0.0.0.0", "::"}
            for other, address in others:
                if listener.port and (listener.address == address or {listener.address, address} & everywhere):
                    places = [d.place for d in server if d.name.text == protocol and _mentions(d, listener.port)]
                    place = places[-1] if places else server[0].place
                    message = f"port {listener.port} is already taken by {other}"
                    problems.error(place, message)
                    break
            others.append((protocol, listener.address))


def _mentions(directive: Directive, port: int) -> bool:
    words = [word.text for d in (directive, *directive.fields) for word in d.words]
    return any(word.rpartition(":")[2].lstrip("0") == str(port) for word in words)


def _doubt_filters(
    reading: Reading, streams: Mapping[str, StreamSettings], templates: Mapping[str, TemplateSettings]
) -> None:
    """Filters of event sinks that can match nothing."""
    all_known = not any(template.prefixes for template in templates.values())
    for place, key, pattern in reading.filtered:
        found = doubts.event_filter(key, pattern)
        if found is None and key == "media" and all_known and streams:
            found = doubts.stream_filter(pattern, streams)
        if found is not None:
            reading.problems.warn(place, *found)


def _doubt_streams(named: list[Directive], streams: Mapping[str, StreamSettings], problems: Problems) -> None:
    """Streams without an input, and names that a file system without letter case takes for one."""
    folded: dict[str, str] = {}
    for directive in named:
        name = directive.words[0]
        stream = streams.get(name.text)
        if stream is not None and not stream.inputs and not stream.disabled:
            problems.warn(name.place, f"stream {shown(name.text)} has no input", "expected input URL;")
        other = folded.setdefault(name.text.casefold(), name.text)
        if other != name.text:
            problems.warn(name.place, f"stream {shown(name.text)} differs from {shown(other)} by letter case only")


def _check_archives(streams: list[Directive], problems: Problems) -> None:
    names = {directive.words[0].text for directive in streams}
    for name in (directive.words[0] for directive in streams):
        if owner := archive_owner(name.text, names):
            problems.error(name.place, f"stream {shown(name.text)} would record into the directories of {shown(owner)}")
