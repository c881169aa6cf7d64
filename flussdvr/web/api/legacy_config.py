# -*- test-case-name: tests.web.api.test_legacy_config -*-
"""
The configuration as scripts of the time before version 3 read and change it.

    GET read_config --> {"streams": {NAME: {"urls": [...], ...}}, "dvrs": {NAME: {...}}}
    POST modify_config <-- the same, changed, or a part of it; null deletes; or streams in the grammar of the file

A script may send back all that it has read: what is as it was changes nothing, so that the file stays in charge of it.
`hls_off` and the like stand for `protocols`: each changes what is allowed now, by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flussdvr.config.errors import Problems, nearest
from flussdvr.config.parser import parse
from flussdvr.config.patches import RESET, SHOWN_ONLY
from flussdvr.config.stream_options import PROTOCOLS, STREAM_FIELDS, STREAM_RULES
from flussdvr.errors import DvrError, Kind

Document = dict[str, Any]
SECTIONS = ("streams", "dvrs")
OFF: Mapping[str, str] = {**{name: name for name in PROTOCOLS}, "mpegts": "tshttp", "hds": ""}
"""Of `NAME_off`: the protocol; empty for one that is never served."""


def shown(stream: Mapping[str, Any]) -> Document:
    """A stream as older scripts know it: `urls` in the place of `inputs`, without what only the API shows."""
    document = {key: value for key, value in stream.items() if key not in SHOWN_ONLY or key == "name"}
    if "inputs" in document:
        document["urls"] = document.pop("inputs")
    return document


def changed(patch: Mapping[str, Any], now: Mapping[str, Any] | None) -> Document:
    """
    What of a patch is to be changed of a stream, which `shown` shows as `now`; `None`: there is none yet.

    DvrError BAD_REQUEST.
    """
    off = {key: value for key, value in patch.items() if key.endswith("_off")}
    rest = {key: value for key, value in patch.items() if key not in off}
    if now is not None:
        rest = {key: value for key, value in rest.items() if key not in now or now[key] != value}
    if not off or rest.get("protocols") is not None:
        check_off(off)
        return rest
    before = (now or {}).get("protocols")
    allowed = without(off, PROTOCOLS if before is None else [name for name in before if before[name]])
    if allowed is None and before is None:
        return rest
    return {**rest, "protocols": allowed}


def without(off: Mapping[str, Any], allowed: Any) -> list[str] | None:
    """What may be played after `off`; `None`: everything. DvrError BAD_REQUEST."""
    check_off(off)
    names = set(allowed)
    for key, value in off.items():
        protocol = OFF[key.removesuffix("_off")]
        if protocol:
            (names.discard if value else names.add)(protocol)
    return None if names.issuperset(PROTOCOLS) else [name for name in PROTOCOLS if name in names]


def check_off(off: Mapping[str, Any]) -> None:
    """DvrError BAD_REQUEST: `NAME_off` of no protocol, or neither true nor false."""
    for key, value in off.items():
        if key.removesuffix("_off") not in OFF:
            hint = nearest(key, [f"{name}_off" for name in OFF])
            raise _wrong("unknown_field", f"there is no {key[:200]}" + (f"; {hint}" if hint else ""), key)
        if not isinstance(value, bool | None):
            raise _wrong("invalid_value", f"{key}: expected true or false", key)


def of_text(text: str, name: str, configured: Mapping[str, Any]) -> Document:
    """
    What a text in the grammar of the file says of a stream, as a patch: a line replaces what was said of the same
    before, and the rest stays. `configured`: what was read of it. What the text says and is the default is unset.
    """
    said = _said(text, name)
    patch = {key: {**value, RESET: True} if isinstance(value, Mapping) else value for key, value in configured.items()}
    fields = {**{key: known.field for key, known in STREAM_FIELDS.items()}, "dvr": "dvr", "template": "template"}
    return patch | {key: None for key, field in fields.items() if field in said and key not in patch}


def _said(text: str, name: str) -> set[str]:
    """The fields that lines of a stream's block set."""
    fields: set[str] = set()
    for directive in parse(text, "body", Problems()):
        if directive.name.text not in ("stream", "ondemand") or not directive.words or directive.words[0].text != name:
            continue
        if len(directive.positional) > 1:
            fields.add("inputs")
        for each in directive.fields:
            if (rule := STREAM_RULES.get(each.name.text)) is not None:
                fields.add(rule.field)
            elif each.name.text == "template":
                fields.add("template")
    return fields


def check_sections(given: Any) -> dict[str, dict[str, Any]]:
    """The sections of a patch, as far as they can be changed here. DvrError BAD_REQUEST."""
    if not isinstance(given, dict) or not given or not all(isinstance(given.get(one, {}), dict) for one in SECTIONS):
        raise _wrong("invalid_value", "expected {streams: {NAME: {...}}}", "")
    for section in given:
        if section not in SECTIONS:
            raise _wrong("not_supported", "only streams and dvrs can be changed here", section)
    for section in given:
        for name, patch in given[section].items():
            if patch is not None and not isinstance(patch, dict):
                raise _wrong("invalid_value", f"{section}/{name[:200]}: expected an object, or null", section, name)
    return given


def _wrong(code: str, title: str, *where: str) -> DvrError:
    pointer = "".join(f"/{part[:200]}" for part in where if part)
    return DvrError(Kind.BAD_REQUEST, code, title, {"pointer": pointer})
