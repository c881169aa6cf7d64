"""
`dvr`: where and how much to record.

    dvr NAME { root /storage; expiration 7d; storage_limit 400G; disk_usage_limit 90%; sync_interval 5s; }   on top
    dvr /storage 7d 97% 400G;     in a stream or template: limits in any order, each told by its form
    dvr @NAME 2d;                 the same as NAME, but for ...
    dvr off;                      although the template records
    dvr_offline /storage 7d;      known and playable, recorded only when the API says so
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flussdvr.config.dvr_options import DVR_RULES, LIMIT_FIELDS, LIMITS, ROOT_RULES
from flussdvr.config.errors import Misread, nearest, shown
from flussdvr.config.lexer import Word, quote
from flussdvr.config.model import DvrSettings
from flussdvr.config.parser import Directive
from flussdvr.config.reading import (
    Reading,
    Rule,
    Writing,
    block,
    line,
    read_fields,
    surplus,
    written,
)
from flussdvr.config.values import DURATION, PERCENT, SIZE, is_off

_UNSUPPORTED = {
    "raid": "",
    "active": "",
    "check_mount": "the marker file in the root tells an unmounted disk from an empty one",
    "index": "",
    "metadata": "",
    "disk": "",
    "replicate": "",
    "replication_port": "",
    "keep_locks": "locks are always kept",
    "locked_write": "",
    "episodes_url": "",
    "episodes_expiration": "",
    "no_index": "",
}


def read_root(directive: Directive, reading: Reading) -> DvrSettings:
    """A `dvr NAME { ... }` on top of the file; the name is the directive's first word."""
    name = directive.words[0].text
    rest = replace(directive, words=directive.words[1:])
    if rest.positional:
        raise surplus(rest, rest.positional[0])
    values, places = read_fields(ROOT_RULES, rest.fields, "dvr option", reading, _UNSUPPORTED)
    if "root" not in values:
        if "root" in places:
            return DvrSettings("", name=name)  # already reported; the name is there for those who refer to it
        raise Misread(f"dvr {shown(name)} has no root", hint="expected root /path;")
    return DvrSettings(**_unlimited(values), name=name)


def read_dvr(directive: Directive, reading: Reading) -> DvrSettings | None:
    """`dvr` or `dvr_offline` of a stream or a template."""
    words = directive.positional
    if len(words) == 1 and is_off(words[0].text) and not directive.fields:
        return None
    where: Word | None = None
    options = directive.fields
    for word in words:
        if (limit := _limit(word)) is not None:
            options.append(Directive(Word(limit, word.place), (word,)))
        elif word.text in _UNSUPPORTED:
            options.append(Directive(word))
        elif where is None:
            where = word
        else:
            raise surplus(directive, word)
    values, _ = read_fields(DVR_RULES, options, "dvr option", reading, _UNSUPPORTED)
    if where is None:
        raise Misread(f"expected a path or @NAME after {shown(directive.name.text)}")
    offline = directive.name.text == "dvr_offline"
    return replace(_base(where, reading), **_unlimited(values), offline=offline)


def _base(where: Word, reading: Reading) -> DvrSettings:
    if where.text.startswith("@"):
        name = where.text[1:]
        if name in reading.dvrs:
            return reading.dvrs[name]
        known = reading.declared.get("dvr", set())
        if name in known:  # declared, but wrong in itself, which has been said there
            return DvrSettings("", name=name)
        hint = nearest(name, known) or f"expected dvr {name} {{ root /path; }} on top of the file"
        raise Misread(f"there is no dvr {shown(name)}", where.place, hint)
    if "://" in where.text:
        raise Misread(
            f"recording straight to {shown(where.text.partition('://')[0] + '://')} is not supported",
            where.place,
            "record to a local root with copy=s3://...",
        )
    return DvrSettings(reading.path(where.text))


def _limit(word: Word) -> str | None:
    """Which limit a word of the line is, by its form."""
    if not word.text[:1].isdigit() or "/" in word.text:
        return None
    for name, kind in (("expiration", DURATION), ("disk_usage_limit", PERCENT), ("storage_limit", SIZE)):
        try:
            kind.read(word.text)
        except Misread:
            continue
        return name
    # `400GB` or `7days` is rather a misspelt limit than a directory of that name.
    raise Misread(f"expected a limit such as 7d, 400G or 90%, found {shown(word.text)}", word.place)


def _unlimited(values: dict[str, Any]) -> dict[str, Any]:
    """0 is no limit."""
    return {name: None if name in LIMIT_FIELDS and value == 0 else value for name, value in values.items()}


def write_root(dvr: DvrSettings, writing: Writing) -> list[str]:
    return block(line("dvr", quote(dvr.name or ""))[:-1], written(ROOT_RULES, dvr, DvrSettings(""), writing))


def write_dvr(name: str, dvr: DvrSettings | None, writing: Writing) -> list[str]:
    if dvr is None:
        return [line("dvr", "off")]
    name = "dvr_offline" if dvr.offline else "dvr"
    if dvr.name is None:
        return block(f"{name} {quote(dvr.root)}", written(DVR_RULES, dvr, DvrSettings(dvr.root), writing))
    same = writing.dvrs.get(dvr.name, DvrSettings(dvr.root))
    lines = written(DVR_RULES, dvr, same, replace(writing, defaults=False))
    for option in LIMITS:
        if getattr(dvr, option.field) is None and getattr(same, option.field) is not None:
            lines.append(line(option.name, "0"))
    return block(f"{name} @{quote(dvr.name)}", lines)


DVR = Rule("dvr", read_dvr, write_dvr)
