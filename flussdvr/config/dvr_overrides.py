"""
Storages that the API has made or changed, over what the file says.

    file:     dvr main { ... }       --> document --merge(patch)--> read_storage --> dvrs
    patches:  {"main": {...}}        kept in the catalog, one a storage               `--> streams and templates of them

What a stream says beside `dvr @main` stays; what it does not say follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from flussdvr.config.documents import Document, read_document, refused, write_document
from flussdvr.config.dvr_options import DVR_ALIASES, STORAGE_FIELDS
from flussdvr.config.model import Config, DvrSettings
from flussdvr.config.names import MAX_PART_BYTES
from flussdvr.config.patches import apply_each, merge, merge_patches, normalized
from flussdvr.errors import DvrError, Kind

_OWN = [one.name for one in fields(DvrSettings) if one.name not in ("root", "name")]


def extend_storage_patch(before: Mapping[str, Any], patch: Mapping[str, Any]) -> Document:
    """The patch to keep after one more PUT: by the names of today, without what is only shown."""
    return merge_patches(before, normalized(patch, DVR_ALIASES))


def apply_storage_patch(name: str, patch: Mapping[str, Any], file: Config) -> DvrSettings:
    """The storage with a patch over the file. DvrError BAD_REQUEST."""
    known = file.dvrs.get(name)
    if known is None and (problem := _name_problem(name)):
        raise DvrError(Kind.BAD_REQUEST, "bad_dvr_name", problem, {"parameter": "name"})
    base = {} if known is None else write_document(STORAGE_FIELDS, known, True)
    values = read_document(STORAGE_FIELDS, merge(base, patch), {})
    if "root" not in values:
        raise refused("invalid_value", "root: a dvr has a root", "/root")
    return DvrSettings(**values, name=name)


def _name_problem(name: str) -> str | None:
    """As in the file, where it is one word after `dvr` and `dvr @`."""
    if not name or any(c in "/@" or c.isspace() or not c.isprintable() for c in name):
        return f"{name[:200]!r} is no name for a dvr: it has no '/', '@' and white space"
    if len(name.encode(errors="replace")) > MAX_PART_BYTES:
        return f"the name of a dvr is at most {MAX_PART_BYTES} bytes"
    return None


def apply_storage_patches(file: Config, patches: Mapping[str, Mapping[str, Any]]) -> tuple[Config, list[str]]:
    """The file with its storages patched, and sentences about patches that do not fit it any more (left out)."""
    patched, problems = apply_each("dvr", patches, lambda name, patch: apply_storage_patch(name, patch, file))
    dvrs = {**file.dvrs, **patched}
    if dvrs == file.dvrs:
        return file, problems
    streams = {name: replace(stream, dvr=_follow(stream.dvr, file.dvrs, dvrs)) for name, stream in file.streams.items()}
    templates = {
        name: replace(one, values={**one.values, "dvr": _follow(one.values["dvr"], file.dvrs, dvrs)})
        if "dvr" in one.values
        else one
        for name, one in file.templates.items()
    }
    return replace(file, dvrs=dvrs, streams=streams, templates=templates), problems


def _follow(
    dvr: DvrSettings | None, before: Mapping[str, DvrSettings], after: Mapping[str, DvrSettings]
) -> DvrSettings | None:
    if dvr is None or dvr.name is None or dvr.name not in before:
        return dvr
    was = before[dvr.name]
    said = {field: value for field in _OWN if (value := getattr(dvr, field)) != getattr(was, field)}
    return replace(after[dvr.name], **said)


def users(name: str, config: Config) -> list[str]:
    """The streams that record to a storage."""
    return sorted(one.name for one in config.streams.values() if one.dvr is not None and one.dvr.name == name)
