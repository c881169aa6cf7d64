"""What can be said of a stream or a template, in the file and in documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flussdvr.config.authorization import authorization
from flussdvr.config.documents import Field, as_text, boolean, mapping, number, words
from flussdvr.config.dvr import DVR
from flussdvr.config.input_settings import INPUTS
from flussdvr.config.model import STREAM_DEFAULTS
from flussdvr.config.options import (
    PASSWORD,
    PROSE,
    SESSION_KEYS,
    SWITCH,
    TEXT,
    TIMEOUT,
    Option,
    OptionKind,
    aliases,
    keys,
    rules,
    whole,
    word,
)
from flussdvr.config.reading import listed
from flussdvr.config.reading import mapping as pairs
from flussdvr.config.thumbnails import THUMBNAILS
from flussdvr.config.values import choice, milliseconds
from flussdvr.logs.redaction import MASK, is_secret_name, redact_text

PROTOCOLS = (
    "hls dash player mss rtmp rtsp m4f m4s mseld tshttp webrtc srt shoutcast mp4 jpeg api".split()  # Flussonic's words
)


def _read_protocols(value: Any) -> tuple[str, ...] | None:
    """A list of those allowed, or Flussonic's object of booleans."""
    if isinstance(value, dict):
        whitelist = value.get("whitelist", True)
        given = {key: boolean(on) for key, on in value.items() if key != "whitelist"}
        value = [key for key in ((*PROTOCOLS,) if not whitelist else given) if given.get(key, not whitelist)]
        for key in given:
            choice(*PROTOCOLS).read(key)
    return words(as_text(choice(*PROTOCOLS)))(value)


def mask_labels(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {key: MASK if is_secret_name(key) else redact_text(str(one)) for key, one in shown.items()}


_LABELS = OptionKind(
    "`key=value` ...",
    pairs,
    lambda field: Field(field, mapping, lambda value: dict(value) or None, mask_labels, {"type": "object"}),
)
_PROTOCOLS = OptionKind(
    f"list of {' '.join(f'`{name}`' for name in PROTOCOLS)}",
    lambda field: listed(field, choice(*PROTOCOLS)),
    lambda field: Field(
        field,
        _read_protocols,
        lambda value: dict.fromkeys(value, True) if value else None,
        schema={"type": "object", "x-also": ["array"], "items": {"type": "string"}},
    ),
)

OPTIONS = (
    Option("title", "title", TEXT, "shown to people", "none"),
    Option("comment", "comment", PROSE, "shown to people", "none"),
    Option("provider", "provider", TEXT, "shown to people", "none"),
    Option("position", "position", whole(0, 1_000_000_000, "number"), "order in lists", "none"),
    Option("labels", "labels", _LABELS, "`labels site=north floor=2;`", "none"),
    Option("disabled", "disabled", SWITCH, "configured, but not running", "off"),
    Option("static", "static", SWITCH, "off: runs only while somebody watches", "on"),
    Option(
        "input",
        "inputs",
        INPUTS,
        "where the stream comes from, see below",
        "none",
        older=("url",),
        key="inputs",
        older_keys=("urls", "url", "input"),
    ),
    Option(
        "input_timeout",
        "input_timeout_s",
        TIMEOUT,
        "without data for so long, the next input is tried",
        "`10s`",
        older=("source_timeout",),
    ),
    Option(
        "clients_timeout",
        "clients_timeout_s",
        TIMEOUT,
        "without viewers for so long, a stream that is not static stops",
        "`60s`",
    ),
    Option("password", "password", PASSWORD, "needed to publish", "none"),
    Option("dvr", "dvr", OptionKind("see below", lambda field: DVR), "where and how much to record", "not recorded"),
    Option(
        "dvr_offline",
        "dvr",
        OptionKind("the same as `dvr`", lambda field: DVR),
        "known and playable; recorded only when the API says so",
    ),
    Option(
        "segment_duration",
        "segment_duration_ms",
        word(
            milliseconds(1000, 15_000),
            "seconds from 1 to 15, with up to three decimals, or `2500ms`",
            number(1000, 15_000),
            schema={"type": "integer", "minimum": 1000, "maximum": 15_000, "description": "milliseconds"},
        ),
        "least length of an HLS segment",
        "`5`",
    ),
    Option("segment_count", "segment_count", whole(2, 1000), "segments in the live playlist", "`4`"),
    Option(
        "hls_container",
        "hls_container",
        word(choice("fmp4", "mpegts"), "`fmp4` or `mpegts`"),
        "of playlists whose URL does not say it",
        "`fmp4`",
    ),
    Option("thumbnails", "thumbnails", THUMBNAILS, "pictures along the timeline", "off"),
    Option(
        "protocols",
        "protocols",
        _PROTOCOLS,
        "what may be played; nothing else may (403 `protocol_not_allowed`): `hls` playlists and segments, `tshttp` "
        "MPEG-TS, live or of the archive, `mp4` exports, `jpeg` pictures and previews, `api` `media_info.json` and "
        "the like; the others are not served here",
        "all",
    ),
    Option("session_keys", "session_keys", SESSION_KEYS, "as `session_keys` of the server", "the server's"),
    Option(
        "on_play",
        "on_play",
        authorization("http", "https", "auth", "securetoken"),
        "who is asked whether somebody may watch",
        "everybody may watch",
        older=("auth",),
    ),
    Option(
        "on_publish",
        "on_publish",
        authorization("http", "https", "auth"),
        "who is asked whether somebody may publish",
        "everybody may publish who knows the `password`",
    ),
)
TEMPLATE = Option(
    "template", "template", TEXT, "everything that the template says and the stream does not", "none", "name"
)

STREAM_RULES = rules(OPTIONS)
"""Of streams and templates; the name of its template is a stream's alone."""
STREAM_FIELDS = keys(OPTIONS)
"""Without `dvr`, which is read with the storages that it may refer to, and the name of the template."""
ALIASES = aliases(OPTIONS)
"""The older names in documents: read, never shown."""
SECRET_FIELDS = frozenset(option.key or option.name for option in OPTIONS if option.kind is PASSWORD)

assert {option.field for option in (*OPTIONS, TEMPLATE)} == set(STREAM_DEFAULTS)
