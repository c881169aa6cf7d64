"""
Kinds of values: how one word is read and written.

    duration   10s 5m 2h 7d 2w 1d12h; bare: seconds        size      K M G T, of 1024; bare: bytes
    percent    90%                                          boolean   on off true false yes no
    schedule   800-1600,2200-130: hhmm in UTC, without leading zeros, may pass midnight

A kind reads text to a value, raising Misread with what was expected, and writes the value as text that reads the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from flussdvr.config.errors import Misread, nearest, shown
from flussdvr.config.model import IPNetwork

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_BYTES = {"T": 1 << 40, "G": 1 << 30, "M": 1 << 20, "K": 1 << 10}
_DURATION = re.compile(r"[0-9]{1,10}|(?:[0-9]{1,10}[wdhms]){1,8}")
_SIZE = re.compile(r"([0-9]{1,16})([KMGT]?)")
_DECIMAL = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,3}))?(ms|s)?")
_PAIR = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_HHMM = re.compile(r"([0-9]{0,2}?):?([0-9]{1,2})")
_TRUE, _FALSE = ("on", "true", "yes"), ("off", "false", "no")
_MAX_SECONDS = 100 * 366 * 86_400


@dataclass(frozen=True)
class Kind:
    """`write(read(text))` reads as the same value. `secret` ones are masked when a configuration is shown."""

    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    secret: bool = False


def _expected(what: str, text: str, hint: str | None = None) -> Misread:
    return Misread(f"expected {what}, found {shown(text)}", hint=hint)


def read_text(text: str) -> str:
    return text


def read_duration(text: str) -> int:
    """Seconds."""
    if not _DURATION.fullmatch(text):
        raise _expected("a duration such as 30s, 5m, 2h, 7d (bare: seconds)", text)
    if text.isdigit():
        seconds = int(text)
    else:
        seconds = sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"([0-9]+)([wdhms])", text))
    if seconds > _MAX_SECONDS:
        raise _expected("a duration of at most 100 years", text)
    return seconds


def write_duration(seconds: int) -> str:
    unit = next((u for u in "dhm" if seconds and seconds % _SECONDS[u] == 0), "s")
    return f"{seconds // _SECONDS[unit]}{unit}" if seconds else "0"


def read_size(text: str) -> int:
    """Bytes."""
    found = _SIZE.fullmatch(text)
    if found is None:
        upper = text.upper().removesuffix("B")
        hint = f"write {upper}" if _SIZE.fullmatch(upper) else None
        raise _expected("a size such as 500M, 400G, 2T (bare: bytes)", text, hint)
    size = int(found[1]) * _BYTES.get(found[2], 1)
    if size >= 1 << 63:
        raise _expected("a size that fits a disk", text)
    return size


def write_size(size: int) -> str:
    unit = next((u for u in _BYTES if size and size % _BYTES[u] == 0), "")
    return f"{size // _BYTES.get(unit, 1)}{unit}"


def read_percent(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}%?", text) or int(text.rstrip("%")) > 100:
        raise _expected("a percentage such as 90%", text)
    return int(text.rstrip("%"))


def read_boolean(text: str) -> bool:
    if text not in _TRUE + _FALSE:
        raise _expected("on or off", text)
    return text in _TRUE


def write_boolean(value: bool) -> str:
    return "on" if value else "off"


def is_off(text: str) -> bool:
    """Whether the word takes back what a template sets."""
    return text in _FALSE


def duration(least: int, most: int) -> Kind:
    """Seconds."""

    def read(text: str) -> int:
        seconds = read_duration(text)
        if not least <= seconds <= most:
            raise _expected(f"a duration from {write_duration(least)} to {write_duration(most)}", text)
        return seconds

    return Kind(read, write_duration)


def integer(least: int, most: int) -> Kind:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise _expected(f"a whole number from {least} to {most}", text)
        return int(text)

    return Kind(read)


def milliseconds(least: int, most: int) -> Kind:
    """A number of seconds with up to three decimals (or of `ms`), kept as milliseconds."""

    def read(text: str) -> int:
        found = _DECIMAL.fullmatch(text)
        value = -1
        if found and found[3] == "ms":
            value = int(found[1]) if found[2] is None else -1
        elif found:
            value = int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0"))
        if not least <= value <= most:
            raise _expected(f"seconds from {least / 1000:g} to {most / 1000:g}", text)
        return value

    def write(value: int) -> str:
        return str(value // 1000) if value % 1000 == 0 else f"{value}ms"

    return Kind(read, write)


def choice(*words: str) -> Kind:
    def read(text: str) -> str:
        if text not in words:
            raise _expected(f"one of {', '.join(words)}", text, nearest(text, words))
        return text

    return Kind(read)


def read_network(text: str) -> IPNetwork:
    """An address or CIDR; host bits behind the prefix are tolerated."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise _expected("an address or a network such as 10.0.0.0/8", text) from None


def read_address(text: str) -> str:
    """An IP address; `*` and an empty word are every address."""
    if text in ("", "*"):
        return ""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        raise _expected("an IP address", text) from None


def read_dimensions(text: str) -> tuple[int, int]:
    found = _PAIR.fullmatch(text)
    if found is None or not (16 <= int(found[1]) <= 8192 and 16 <= int(found[2]) <= 8192):
        raise _expected("a size such as 320x240", text)
    return int(found[1]), int(found[2])


def write_dimensions(value: tuple[int, int]) -> str:
    return f"{value[0]}x{value[1]}"


def read_interval(text: str) -> tuple[int, int]:
    """One part of a schedule, as (hhmm, hhmm)."""
    begin, dash, end = text.partition("-")
    if not dash or (value := (_hhmm(begin), _hhmm(end)))[0] == value[1] or -1 in value:
        raise _expected("times such as 800-1600 or 2200-130 (hhmm, UTC)", text)
    return value


def write_interval(value: tuple[int, int]) -> str:
    return f"{value[0]}-{value[1]}"


def _hhmm(text: str) -> int:
    found = _HHMM.fullmatch(text)
    if found is None:
        return -1
    hour, minute = int(found[1] or 0), int(found[2])
    return hour * 100 + minute if hour < 24 and minute < 60 else -1


def split(texts: Iterable[str]) -> list[str]:
    """Members of a list, which may be written as words or with commas."""
    return [part for text in texts for part in text.split(",") if part]


def _url(text: str) -> str:
    scheme, mark, rest = text.partition("://")
    if not mark or not rest or scheme.lower() not in ("http", "https"):
        raise _expected("a URL that begins with http:// or https://", text)
    return text


TEXT = Kind(read_text)
SECRET = Kind(read_text, secret=True)
DURATION = Kind(read_duration, write_duration)
SIZE = Kind(read_size, write_size)
PERCENT = Kind(read_percent, lambda value: f"{value}%")
BOOLEAN = Kind(read_boolean, write_boolean)
NETWORK = Kind(read_network)
ADDRESS = Kind(read_address, lambda value: value or "*")
DIMENSIONS = Kind(read_dimensions, write_dimensions)
INTERVAL = Kind(read_interval, write_interval)
HTTP_URL = Kind(_url)
