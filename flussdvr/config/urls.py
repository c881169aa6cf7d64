"""
URLs in a configuration: which schemes an input may have.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from flussdvr.config.errors import Misread, nearest, shown

INPUT_SCHEMES = frozenset({"udp", "rtp", "tshttp", "tshttps", "publish", "file", "fake"})
NOT_YET = frozenset(
    "hls hlss rtsp rtsps rtsp2 rtmp rtmps srt m4f m4fs m4s m4ss mseld copy playlist timeshift mixer mosaic decklink "
    "dvb dektec shout shouts http1 mpegts mpegtss frip webrtc whip whep rist ndi v4l2 tcp playback".split()
)
TS_SUFFIXES = (".ts", ".m2t", ".m2ts", ".mts", ".trp", ".tsv", ".mpegts")
"""Files with such a name are read as transport streams."""
_NEED_PORT = frozenset({"udp", "rtp"})
_NEED_HOST = frozenset({"tshttp", "tshttps"})


def read_input_url(text: str) -> str:
    """The URL of an input; raises Misread where it is of no supported kind or lacks its host or port."""
    scheme, mark, rest = text.partition("://")
    scheme = scheme.lower()
    if not mark:
        raise Misread(f"expected a URL such as udp://239.0.0.1:1234, found {shown(text)}")
    if scheme in NOT_YET:
        raise Misread(f"inputs of the kind {scheme}:// are not supported yet")
    if scheme not in INPUT_SCHEMES:
        known = " ".join(sorted(INPUT_SCHEMES))
        raise Misread(
            f"unknown kind of input {shown(scheme + '://')}", hint=nearest(scheme, INPUT_SCHEMES) or f"known: {known}"
        )
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise Misread(f"{shown(text)} is not a URL: {error}") from None
    if scheme in _NEED_PORT and not port:
        raise Misread(f"expected an address and a port as in {scheme}://239.0.0.1:1234, found {shown(text)}")
    if scheme in _NEED_PORT and host and not _is_address(host):
        raise Misread(f"expected an IP address, found {shown(host)}: names are not looked up here")
    if scheme in _NEED_HOST and not host:
        raise Misread(f"expected a host as in {scheme}://example.com/stream, found {shown(text)}")
    if scheme == "file" and not rest:
        raise Misread("expected a path as in file:///srv/media/loop.ts")
    return f"{scheme}://{rest}"


def _is_address(host: str) -> bool:
    try:
        return host == "localhost" or bool(ip_address(host))
    except ValueError:
        return False


def read_scheme(text: str, schemes: tuple[str, ...], not_yet: tuple[str, ...] = ()) -> str:
    """Any other URL, by its scheme; gives the scheme."""
    scheme, mark, rest = text.partition("://")
    scheme = scheme.lower()
    if mark and scheme in not_yet and scheme not in schemes:
        raise Misread(f"{scheme}:// is not supported yet here")
    if not mark or not rest or scheme not in schemes:
        raise Misread(f"expected a URL that begins with {' or '.join(s + '://' for s in schemes)}, found {shown(text)}")
    return scheme
