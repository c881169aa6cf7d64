"""`dvr` in the API's documents: `{"root" | "reference", "expiration", "storage_limit", ...}`; seconds and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flussdvr.config.documents import Document, read_document, refused, the_object, write_document
from flussdvr.config.dvr_options import DVR_ALIASES, DVR_FIELDS, LIMIT_KEYS
from flussdvr.config.errors import Misread
from flussdvr.config.model import DvrSettings


def read_dvr(value: Any, dvrs: Mapping[str, DvrSettings]) -> DvrSettings | None:
    """The `dvr` of a stream. Misread, DvrError BAD_REQUEST."""
    if value is False:
        return None
    values = read_document(DVR_FIELDS, the_object(value), DVR_ALIASES)
    name = values.pop("name", None)
    if name is not None:
        if name not in dvrs:
            raise refused("invalid_value", f"reference: there is no dvr {name!r}", "/reference")
        values.pop("root", None)
        return replace(dvrs[name], **values)
    if "root" not in values:
        raise Misread("a dvr has a root or a reference")
    return DvrSettings(**values)


def write_dvr(dvr: DvrSettings, dvrs: Mapping[str, DvrSettings] | None, secrets: bool) -> Document:
    """Effective where `dvrs` is None; else with a reference for what the `dvr NAME` there says."""
    if dvrs is None or dvr.name is None or dvr.name not in dvrs:
        return write_document(DVR_FIELDS, dvr, secrets)
    same = dvrs[dvr.name]
    differs = {
        key: known for key, known in DVR_FIELDS.items() if getattr(dvr, known.field) != getattr(same, known.field)
    }
    document = write_document(differs, dvr, secrets)
    document |= {key: 0 for key in differs if key not in document and key in LIMIT_KEYS}
    return {"reference": dvr.name, **document}
