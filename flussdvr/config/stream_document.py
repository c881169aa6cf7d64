"""
A stream as the API's JSON: `StreamSettings` and back.

    {"name", "title", "inputs": [{"url", "priority"}], "dvr": {"root" | "reference", "expiration", ...},
     "segment_duration" (ms), "thumbnails": {"enabled", "sizes"}, "on_play": {"url"}, "template", ...}

Seconds and bytes, but `segment_duration`, which is milliseconds here and seconds in the file (docs/compatibility.md).
A document as it is configured (`configured`) leaves out what a template or a default says; an effective one has all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flussdvr.config.authorization import mask_extra
from flussdvr.config.documents import Document, Field, read_document, refused, write_document
from flussdvr.config.dvr_document import read_dvr, write_dvr
from flussdvr.config.dvr_options import DVR_ALIASES
from flussdvr.config.model import STREAM_DEFAULTS, Config, InputSettings, StreamSettings
from flussdvr.config.options import keys
from flussdvr.config.patches import SHOWN_ONLY
from flussdvr.config.stream_options import ALIASES, SECRET_FIELDS, STREAM_FIELDS, TEMPLATE, mask_labels
from flussdvr.logs.redaction import MASK, redact_text


def read_stream(name: str, document: Mapping[str, Any], config: Config) -> StreamSettings:
    """The stream of a document as it is configured. DvrError BAD_REQUEST with the pointer to what is wrong."""
    fields = {
        **STREAM_FIELDS,
        "dvr": Field("dvr", lambda value: read_dvr(value, config.dvrs)),
        **keys([TEMPLATE]),
    }
    given = {key: value for key, value in document.items() if key not in SHOWN_ONLY}
    if given.get("inputs") is not None and "urls" in given:
        given.pop("urls")
    values = read_document(fields, _lifted(given), ALIASES)
    _check_backends(values, config)
    template = values.pop("template", None)
    if template is None:
        return StreamSettings(name, **values)
    if template not in config.templates:
        raise refused("invalid_value", f"template: there is no template {template!r}", "/template")
    base = config.templates[template]
    if not base.values.get("inputs") and base.prefixes and "inputs" not in values:
        values["inputs"] = (InputSettings("publish://"),)
    return base.stream(name, values)


def _lifted(document: Document) -> Document:
    """Retention that old scripts put beside `dvr` moves into it; an input's `url` alone is a list of one."""
    for old in DVR_ALIASES:
        if old in document:
            dvr = document.get("dvr")
            document = {key: value for key, value in document.items() if key != old} | (
                {"dvr": {**dvr, old: document[old]}} if isinstance(dvr, dict) else {old: document[old]}
            )
    return document


def _check_backends(values: Mapping[str, Any], config: Config) -> None:
    for key in ("on_play", "on_publish"):
        auth = values.get(key)
        if auth is not None and auth.url.startswith("auth://") and auth.url[7:] not in config.auth_backends:
            raise refused("invalid_value", f"{key}/url: there is no auth_backend {auth.url[7:]!r}", f"/{key}/url")


def configured(settings: StreamSettings, config: Config) -> Document:
    """What is said of the stream itself, with secrets; `read_stream` makes the same settings of it."""
    template = config.templates.get(settings.template) if settings.template is not None else None
    same = {**STREAM_DEFAULTS, **(template.values if template else {})}
    document = write_document(STREAM_FIELDS, settings, True, same)
    for key, known in STREAM_FIELDS.items():  # what takes back a template's value
        if key not in document and getattr(settings, known.field) != same[known.field]:
            document[key] = _NOTHING.get(key, False)
    if settings.dvr != same["dvr"]:
        document["dvr"] = False if settings.dvr is None else write_dvr(settings.dvr, config.dvrs, True)
    if settings.template is not None:
        document["template"] = settings.template
    return document


_NOTHING: Mapping[str, Any] = {"labels": {}, "session_keys": [], "title": "", "comment": "", "provider": ""}


def effective(settings: StreamSettings, secrets: bool) -> Document:
    """Everything that holds for the stream."""
    document: Document = {"name": settings.name, **write_document(STREAM_FIELDS, settings, secrets)}
    if settings.dvr is not None:
        document["dvr"] = write_dvr(settings.dvr, None, secrets)
    if settings.template is not None:
        document["template"] = settings.template
    return document


def mask_patch(patch: Any, key: str = "") -> Any:
    """A patch as a viewer may see it."""
    if isinstance(patch, dict):
        if key == "extra":
            return mask_extra(patch)
        if key == "labels":
            return mask_labels(patch)
        return {name: mask_patch(value, name) for name, value in patch.items()}
    if isinstance(patch, list):
        return [mask_patch(one, key) for one in patch]
    if isinstance(patch, str):
        return MASK if key in SECRET_FIELDS else redact_text(patch)
    return patch
