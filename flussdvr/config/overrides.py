"""
What the API has changed, over what the file says.

    file:     stream ort { ... }     --configured--> document --merge(patch)--> document --read_stream--> effective
    patches:  {"ort": {...}, "new": {...}}            kept in the catalog, one a stream
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flussdvr.config.documents import Document
from flussdvr.config.dvr_options import DVR_ALIASES
from flussdvr.config.model import AuthSettings, Config, StreamSettings
from flussdvr.config.names import archive_owner, stream_name_problem
from flussdvr.config.patches import SHOWN_ONLY, apply_each, merge, merge_patches
from flussdvr.config.stream_document import configured, read_stream
from flussdvr.config.stream_options import ALIASES
from flussdvr.errors import DvrError, Kind


def base_document(name: str, config: Config) -> Document:
    """What the file (or a template's prefix) says of the stream; empty for one that it does not know."""
    settings = config.stream_for(name)
    return {} if settings is None else configured(settings, config)


def apply_patch(name: str, patch: Mapping[str, Any], file: Config) -> StreamSettings:
    """The stream with a patch over the file. DvrError BAD_REQUEST."""
    if problem := stream_name_problem(name):
        raise DvrError(Kind.BAD_REQUEST, "bad_stream_name", problem, {"parameter": "name"})
    base = base_document(name, file)
    dvr = patch.get("dvr")
    if isinstance(dvr, dict) and isinstance(base.get("dvr"), dict):
        # A root of one's own and a reference exclude each other: the one that is said later holds.
        other = "reference" if "root" in dvr else "root" if dvr.get("reference") is not None else ""
        base = {**base, "dvr": {key: value for key, value in base["dvr"].items() if key != other}}
    return read_stream(name, merge(base, patch), file)


def extend_patch(before: Mapping[str, Any], patch: Mapping[str, Any]) -> Document:
    """The patch to keep after one more PUT: by the names of today, without what is only shown."""
    return merge_patches(before, normal_patch(patch))


def normal_patch(patch: Mapping[str, Any]) -> Document:
    """A patch by the names of today."""
    normal: Document = {}
    for key, value in patch.items():
        if key in SHOWN_ONLY:
            continue
        if key in DVR_ALIASES:
            dvr = normal.get("dvr", patch.get("dvr"))
            normal["dvr"] = {**(dvr if isinstance(dvr, dict) else {}), DVR_ALIASES[key]: value}
            continue
        if key == "dvr" and isinstance(value, Mapping):
            value = {DVR_ALIASES.get(name, name): one for name, one in value.items()}
            if "root" in value and "reference" not in value:
                value["reference"] = None
            elif value.get("reference") is not None and "root" not in value:
                value["root"] = None
            value = {**value, **normal.get("dvr", {})}
        normal[ALIASES.get(key, key)] = value
    return normal


def apply_overrides(file: Config, patches: Mapping[str, Mapping[str, Any]]) -> tuple[Config, list[str]]:
    """The configuration that holds, and sentences about patches that do not fit the file any more (left out)."""
    streams, problems = apply_each("stream", patches, lambda name, patch: apply_patch(name, patch, file))
    return replace(file, streams={**file.streams, **streams}), problems


def check_countries(settings: StreamSettings, config: Config) -> None:
    """DvrError BAD_REQUEST for countries without a database that knows them."""
    for key in ("on_play", "on_publish"):
        auth: AuthSettings | None = getattr(settings, key)
        if config.geoip is None and auth is not None and (auth.allowed_countries or auth.disallowed_countries):
            title = f"{key}: countries need a database: say geoip FILE; in the configuration"
            raise DvrError(Kind.BAD_REQUEST, "invalid_value", title, {"pointer": f"/{key}"})


def check_neighbours(name: str, names: set[str]) -> None:
    """DvrError CONFLICT for a name whose archive would lie in another's directories, or the other way round."""
    others = names - {name}
    inner = next((one for one in others if archive_owner(one, {name}) == name), None)
    if (owner := archive_owner(name, others) or inner) is not None:
        raise DvrError(Kind.CONFLICT, "bad_stream_name", f"{name} and {owner} would record into each other")
