"""
The kinds of inputs: the one list that the configuration, the API's schema, the documents and the messages are made of.

    KINDS              their descriptions; a new protocol is one more here, and its factory in ingest.registry
    kind_of(url)       the kind of a URL
    OPTIONS            every name that may stand behind an input's URL, also the older ones
    read_input_url     a URL, checked

Plain values: what opens the sockets is in `ingest`, above.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from flussdvr.config import doubts
from flussdvr.config.errors import Misread, nearest, shown
from flussdvr.config.input_kind import InputKind, InputOption
from flussdvr.config.urls import TS_SUFFIXES
from flussdvr.config.values import ADDRESS, DURATION, integer

# -- options --------------------------------------------------------------------------------------------------------

MAX_PRIORITY = 1000
PRIORITY = InputOption(
    "priority",
    f"1 to {MAX_PRIORITY}",
    "the smallest that works is taken",
    "its position: 1, 2, 3 ...",
    kind=integer(1, MAX_PRIORITY),
    json_type="integer",
)
COMMON = (
    InputOption(
        "input_timeout",
        "duration",
        "without data for so long, this input is given up",
        "the stream's",
        ("source_timeout",),
        DURATION,
        doubts.timeout,
        "integer",
    ),
    InputOption("title", "text", "shown to people", "none"),
)
"""What may stand behind every input's URL, beside `priority`; a duration is kept as seconds."""

_USER_AGENT = InputOption("user_agent", "text", "of HTTP requests", "flussdvr")
_INTERFACE = InputOption("interface", "name or address", "network interface to join a multicast group on", "any")
_BIND_IP = InputOption("bind_ip", "address", "the same by its address", "any", kind=ADDRESS)
_PROGRAM = InputOption(
    "program",
    "1 to 65535",
    "of a transport stream with several programs: the `program_number` of its PAT. A number that is not there is an "
    "error that lists those that are",
    "the first that delivers",
    kind=integer(1, 65535),
    json_type="integer",
)

# -- URLs -----------------------------------------------------------------------------------------------------------


def _address_and_port(text: str, url: SplitResult) -> None:
    if not url.port:
        raise Misread(f"expected an address and a port as in {url.scheme}://239.0.0.1:1234, found {shown(text)}")
    if url.hostname and not _is_address(url.hostname):
        raise Misread(f"expected an IP address, found {shown(url.hostname)}: names are not looked up here")


def _is_address(host: str) -> bool:
    try:
        return host == "localhost" or bool(ip_address(host))
    except ValueError:
        return False


def _host(text: str, url: SplitResult) -> None:
    if not url.hostname:
        raise Misread(f"expected a host as in {url.scheme}://example.com/stream, found {shown(text)}")


def _path(text: str, url: SplitResult) -> None:
    if not text.partition("://")[2]:
        raise Misread("expected a path as in file:///srv/media/loop.ts")


def _program_of_a_file(name: str, url: str) -> str | None:
    if name != _PROGRAM.name or url.lower().endswith(TS_SUFFIXES):
        return None
    return f"program chooses in a transport stream, and {shown(url)} is none by its name: it changes nothing"


# -- kinds ----------------------------------------------------------------------------------------------------------

KINDS: tuple[InputKind, ...] = (
    InputKind(
        "udp",
        ("udp", "rtp"),
        "udp://239.0.0.1:1234",
        "MPEG-TS in UDP, plain or in RTP; `udp://INTERFACE@...` or `udp://SOURCE@...` as needed. Addresses, not names",
        options=(_PROGRAM, _INTERFACE, _BIND_IP),
        query=(_INTERFACE, _BIND_IP, _PROGRAM),
        foreign=tuple(
            "localaddr localport local_addr pkt_size buffer_size fifo_size overrun_nonfatal reuse reuse_addr ttl "
            "timeout sources block connect broadcast burst_bits bitrate dscp rtcpport rtpport rw_timeout ssrc".split()
        ),  # what ffmpeg and others read there
        check=_address_and_port,
    ),
    InputKind(
        "tshttp",
        ("tshttp", "tshttps"),
        "tshttp://host/path",
        "MPEG-TS over HTTP",
        options=(_PROGRAM, _USER_AGENT),
        check=_host,
    ),
    InputKind(
        "publish",
        ("publish",),
        "publish://",
        "what is published to this name: RTMP, or MPEG-TS by HTTP POST",
        options=(_PROGRAM,),
    ),
    InputKind(
        "file",
        ("file",),
        "file:///path",
        "a file, again and again",
        options=(_PROGRAM,),
        check=_path,
        doubt=_program_of_a_file,
    ),
    InputKind(
        "fake",
        ("fake",),
        "fake://?size=640x360&fps=25",
        "a test picture with the time in it, and tones of it",
        query=(
            InputOption("size", "`WIDTHxHEIGHT`, even, from 128x72 to 3840x2160", "of the pictures", "`640x360`"),
            InputOption("fps", "1 to 60, a divisor of 90 000", "pictures a second", "`25`"),
            InputOption("gop", "1 to 600", "pictures from one key frame to the next", "`50`"),
            InputOption("bframes", "0 to 4", "B pictures between two others", "`0`"),
            InputOption("bitrate", "bit/s from `32k` to `50M`", "of the pictures", "`800k`"),
            InputOption("codec", "`h264` or `h265`", "of the pictures", "`h264`"),
            InputOption("audio", "`aac` or `none`", "of the sound", "`aac`"),
            InputOption("open_gop", "switch", "key frames are recovery points in open groups; needs `bframes`", "off"),
            InputOption("audio_only", "switch", "sound and no pictures", "off"),
        ),
    ),
)
SCHEMES: Mapping[str, InputKind] = {scheme: kind for kind in KINDS for scheme in kind.schemes}
OPTIONS: Mapping[str, InputOption] = {
    name: option
    for option in (*COMMON, *(option for kind in KINDS for option in kind.options))
    for name in (option.name, *option.older)
}
OLDER: Mapping[str, str] = {name: option.name for name, option in OPTIONS.items() if name != option.name}
NOT_YET = frozenset(
    "hls hlss rtsp rtsps rtsp2 rtmp rtmps srt m4f m4fs m4s m4ss mseld copy playlist timeshift mixer mosaic decklink "
    "dvb dektec shout shouts http1 mpegts mpegtss frip webrtc whip whep rist ndi v4l2 tcp playback".split()
).difference(SCHEMES)
"""Schemes that Flussonic has beside these."""


def scheme_of(url: str) -> str:
    """In lower case."""
    return url.partition("://")[0].lower()


def kind_of(url: str) -> InputKind | None:
    """The kind of input that a URL is for."""
    return SCHEMES.get(scheme_of(url)) if "://" in url else None


def schemes_of(option: InputOption) -> tuple[str, ...]:
    """The schemes that an option means something to."""
    return tuple(scheme for scheme, kind in SCHEMES.items() if option in COMMON or option in kind.options)


def read_input_url(text: str) -> str:
    """The URL of an input; raises Misread where it is of no supported kind or lacks its host or port."""
    scheme, mark, rest = text.partition("://")
    scheme = scheme.lower()
    if not mark:
        raise Misread(f"expected a URL such as udp://239.0.0.1:1234, found {shown(text)}")
    if scheme in NOT_YET:
        raise Misread(f"inputs of the kind {scheme}:// are not supported yet")
    kind = SCHEMES.get(scheme)
    if kind is None:
        hint = nearest(scheme, SCHEMES) or f"known: {' '.join(sorted(SCHEMES))}"
        raise Misread(f"unknown kind of input {shown(scheme + '://')}", hint=hint)
    try:
        url = urlsplit(text)
        url.port  # noqa: B018  (raises where it is no number)
    except ValueError as error:
        raise Misread(f"{shown(text)} is not a URL: {error}") from None
    kind.check(text, url)
    return f"{scheme}://{rest}"


def doubt_of_query(url: str) -> tuple[str, str | None] | None:
    """Of a parameter in the URL's query that there is not; with what may have been meant."""
    kind = kind_of(url)
    known = None if kind is None else kind.parameters
    return None if known is None else doubts.parameter(url, known)


def doubt_of_option(name: str, url: str) -> str | None:
    """Of an option that means something to another kind of input."""
    kind, option = kind_of(url), OPTIONS[name]
    if kind is None:
        return None
    if option in COMMON or option in kind.options:
        return kind.doubt(option.name, url)
    of = ", ".join(f"{scheme}://" for scheme in schemes_of(option))
    return f"{name} is an option of {of}: it changes nothing of {scheme_of(url)}://"


# -- for the API's schema -------------------------------------------------------------------------------------------


def input_schema() -> dict[str, Any]:
    """One input in the API's schema. `x-kinds` describes the kinds, for forms."""
    options: dict[str, Any] = {name: option.schema for name, option in OPTIONS.items()}
    return {
        "type": "object",
        "properties": {
            "url": {"type": "string"},
            PRIORITY.name: {"type": "integer", "minimum": 1, "maximum": MAX_PRIORITY},
            **options,
            "stats": {"type": ["object", "null"]},
        },
        "x-also": ["string"],
        "x-kinds": [_described(kind) for kind in KINDS],
    }


def _described(kind: InputKind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "schemes": list(kind.schemes),
        "example": kind.example,
        "description": kind.help,
        "options": [option.name for option in (*COMMON, *kind.options)],
        "query": [
            {"name": one.name, "argument": one.argument, "description": one.help, "default": one.default}
            for one in kind.query or ()
        ],
    }
