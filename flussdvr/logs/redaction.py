"""
What of a URL may be shown: in logs, alarms and events, and to those who may only look.

A secret comes under any name (`token`, `pin`, `sig`, `hdnts`), spelled with `%` or not, as a word without a name, as a
user, in a path. So a value is shown only where its name is known to be harmless; everything else is `***`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

MASK = "***"
LONGEST = 2000
"""Bytes of a request's URI that are shown; one request must not fill the log."""

HARMLESS = frozenset(
    # of our own URLs
    "utc lutc from to duration event gaps keep filter filter.tracks request width format limit cursor sort select part "
    "name id full meta packing thumbnails closed_at_gte opened_at_lte resolution amp "
    # of inputs: those of fake:// and common ones of players and of cameras
    "size fps gop codec bframes open_gop audio audio_only video bitrate language start tone text step "
    "lang channel channels stream subtype program pkt_size localaddr ttl buffer_size fifo_size overrun_nonfatal reuse "
    "timeout latency mode transport profile quality region user no_check_ip domain site type".split()
)
"""Names of parameters, in lower case."""
_HARMLESS_VALUE = re.compile(r"[\w.,:/*+ -]{0,200}")
_PATH_NAMES = frozenset({"path"})
"""Their values are shown where they are paths; those of object stores have credentials in them."""

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_URLS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_OBJECT_STORES = frozenset({"s3", "s3s", "akamai"})
"""The last `@` ends their credentials, whatever else is in them."""
_ADDRESSED = frozenset({"udp", "rtp"})
"""`udp://INTERFACE@239.0.0.1:1234`: what stands before the `@` is no user."""
_SEPARATORS = re.compile(r"([?&;#])")
_IN_PATH = re.compile(r"([/;&])")
_SUBSCRIBER = re.compile(r"/((?:live|movie|series|timeshift)/)?[^/]+/[^/]+/(\d+(?:\.(?:ts|m3u8|mp4|mkv))?)")
"""`/USER/PASSWORD/1234.ts`: how many providers of television write what a subscriber may see."""
_SECRET_PART = re.compile(
    r".*(pass(word|wd)?|pwd|secret|token|key|sig(nature)?|hash|jwt|hmac|hdnt[sl]?|session(id)?)|pw|pin|st|sid|md5|otp"
)
_SECRET_NAME = re.compile(
    r".*(pass|pwd|secret|token|cred|auth(?!ors?\b)|cookie|sess|hash|hmac|signature|jwt|hdn|psk|private|bearer|nonce"
    r"|license|licence|cert).*|.*key|(.*[._-])?(pw|pin|sign?|sid|st|otp|code|ticket|md5|sha\d*|salt|seed|tok|id_?token)",
)


def redact_url(url: str) -> str:
    """
    A URL of elsewhere (an input, a backend, a sink, a referer) without its secrets.

    Users with a password are shown by name. What is no URL is taken for a path with a query.
    """
    scheme = _URL.match(url)
    if scheme is None:
        path, query = _split(url)
        return _parameters(path, _IN_PATH) + _parameters(query, _SEPARATORS)
    kind, rest = scheme[1].lower(), url[scheme.end() :]
    if kind == "securetoken":
        return scheme[0] + MASK + _parameters(_split(rest)[1], _SEPARATORS)
    if kind in _OBJECT_STORES and "@" in rest:
        credentials, _, rest = rest.rpartition("@")
        return scheme[0] + _user(credentials, kind) + redact_url(rest)
    rest, query = _split(rest)
    authority, slash, path = rest.partition("/")
    credentials, at, host = authority.rpartition("@")
    user = _user(credentials, kind) if at else ""
    if kind not in ("file", "publish") and (subscriber := _SUBSCRIBER.fullmatch(slash + path)):
        path = f"{subscriber[1] or ''}{MASK}/{MASK}/{subscriber[2]}"
    elif kind not in ("file", "publish"):
        path = _named_parts(path)
    return scheme[0] + user + host + _parameters(slash + path, _IN_PATH) + _parameters(query, _SEPARATORS)


def redact_text(text: str) -> str:
    """What somebody has written, with the URLs in it redacted; a text that begins with a URL is one as a whole."""
    return redact_url(text) if _URL.match(text) else _URLS.sub(lambda match: redact_url(match[0]), text)


def redact_request(uri: bytes) -> str:
    """The URI of a request to this server, for log lines at any level; what is too long is cut."""
    path, query = _split(uri[:LONGEST].decode("latin-1"))
    text = path + _parameters(query, _SEPARATORS)
    return text if len(uri) <= LONGEST else text + "..."


def is_harmless(name: str) -> bool:
    """Whether a parameter of this name may be shown; for names that somebody else has chosen."""
    return name.lower() in HARMLESS


def is_secret_name(name: str) -> bool:
    """Whether a value under this name is likely a secret; for names that we have chosen, or that are no parameters."""
    return _SECRET_NAME.fullmatch(_decoded(name).lower()) is not None


def _split(text: str) -> tuple[str, str]:
    """A path, and what follows it from the first `?` or `#` on."""
    end = min((at for at in (text.find("?"), text.find("#")) if at >= 0), default=len(text))
    return text[:end], text[end:]


def _named_parts(path: str) -> str:
    """`token/SECRET/x`: a name and its value as parts of a path."""
    parts = path.split("/")
    for at in range(1, len(parts)):
        if parts[at] and _SECRET_PART.fullmatch(_decoded(parts[at - 1]).lower()):
            parts[at] = MASK
    return "/".join(parts)


def _user(credentials: str, kind: str) -> str:
    """What stands before the `@`, with it."""
    if kind in _ADDRESSED:
        return credentials + "@"
    if "=" in credentials:
        return _parameters(credentials, _SEPARATORS) + "@"
    user, _, password = credentials.partition(":")
    return f"{user}:{MASK}@" if user and password else f"{MASK}@"


def _parameters(text: str, separators: re.Pattern[str]) -> str:
    pieces = separators.split(text)
    bare_is_shown = separators is _IN_PATH
    return "".join(piece if n % 2 else _parameter(piece, bare_is_shown) for n, piece in enumerate(pieces))


def _parameter(piece: str, bare_is_shown: bool) -> str:
    name, equals, value = piece.partition("=")
    if not equals:
        return piece if not piece or bare_is_shown or is_harmless(piece) else MASK
    if not value or (is_harmless(name) and _HARMLESS_VALUE.fullmatch(_decoded(value)) and "://" not in _decoded(value)):
        return piece
    if name.lower() in _PATH_NAMES and _decoded(value).startswith("/"):
        return piece
    return f"{name}={MASK}"


def _decoded(text: str) -> str:
    """Without percent-encoding, however often it was applied."""
    for _ in range(4):
        text, before = unquote(text), text
        if text == before:
            break
    return text
