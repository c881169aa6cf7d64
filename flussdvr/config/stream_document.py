"""
A stream as the API's JSON: `StreamSettings` and back.

    {"name", "title", "inputs": [{"url", "priority"}], "dvr": {"root" | "reference", "expiration", ...},
     "segment_duration" (ms), "thumbnails": {"enabled", "sizes"}, "on_play": {"url"}, "template", ...}

Seconds and bytes, but `segment_duration`, which is milliseconds here and seconds in the file (docs/compatibility.md).
A document as it is configured (`configured`) leaves out what a template or a default says; an effective one has all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flussdvr.config.countries import COUNTRY
from flussdvr.config.documents import (
    Document,
    Field,
    as_text,
    boolean,
    each,
    expected,
    limit,
    mapping,
    mask,
    number,
    read_document,
    refused,
    text,
    the_object,
    timeout,
    words,
    write_document,
)
from flussdvr.config.errors import Misread
from flussdvr.config.inputs import OLDER, OPTIONS, read_input_url
from flussdvr.config.model import (
    STREAM_DEFAULTS,
    AuthSettings,
    Config,
    DvrSettings,
    InputSettings,
    StreamSettings,
    ThumbnailSettings,
)
from flussdvr.config.stream import PROTOCOLS
from flussdvr.config.urls import read_scheme
from flussdvr.config.values import DIMENSIONS, HTTP_URL, Kind, choice, read_interval
from flussdvr.logs.redaction import MASK, is_harmless, is_secret_name, redact_text, redact_url

MAX_BYTES = (1 << 63) - 1
MAX_SECONDS = 100 * 366 * 86_400

DVR_ALIASES = {"dvr_limit": "expiration", "disk_limit": "disk_usage_limit", "disk_space": "storage_limit"}
ALIASES = {"urls": "inputs", "url": "inputs", "input": "inputs", "auth": "on_play", "source_timeout": "input_timeout"}
"""The older names (docs/compatibility.md): read, never shown."""
SECRET_FIELDS = frozenset({"password"})
SHOWN_ONLY = frozenset({"stats", "named_by", "config_on_disk", "name", "effective"})
"""What GET shows and PUT ignores, so that what was got may be put."""


# -- dvr ------------------------------------------------------------------------------------------------------------


def _schedule(value: Any) -> tuple[tuple[int, int], ...]:
    def interval(pair: Any) -> tuple[int, int]:
        if isinstance(pair, str):
            return read_interval(pair)
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(one) is int for one in pair):
            raise expected("pairs of hhmm such as [800, 1600]", pair)
        return read_interval(f"{pair[0]}-{pair[1]}")

    return words(interval)(value)


def _copy(value: Any) -> str | None:
    if value is False:
        return None
    read_scheme(text(value), ("s3", "s3s", "swift"))
    return str(value)


def _root(value: Any) -> str:
    if not text(value).startswith("/") or ".." in value.split("/") or not value.isprintable():
        raise expected("an absolute path of characters that can be seen", ascii(value))
    return value.rstrip("/") or "/"


DVR_FIELDS = {
    "root": Field("root", _root),
    "reference": Field("name", text),
    "expiration": Field("expiration_s", limit(MAX_SECONDS)),
    "storage_limit": Field("storage_limit", limit(MAX_BYTES)),
    "disk_usage_limit": Field("disk_usage_limit", limit(100)),
    "sync_interval": Field("sync_interval_s", number(1, 3600)),
    "schedule": Field("schedule", _schedule, lambda value: [list(pair) for pair in value] or None),
    "copy": Field("copy", _copy, masked=redact_url),
    "dvr_offline": Field("offline", boolean, lambda value: value or None),
}


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
    document |= {key: 0 for key in differs if key not in document and key in _LIMITS}
    return {"reference": dvr.name, **document}


_LIMITS = ("expiration", "storage_limit", "disk_usage_limit")


# -- inputs, pictures, authorization --------------------------------------------------------------------------------


def _inputs(value: Any) -> tuple[InputSettings, ...]:
    return each(_input)([value] if isinstance(value, str) else value)


def _input(value: Any, index: int) -> InputSettings:
    if isinstance(value, str):
        value = {"url": value}
    given = {key: one for key, one in the_object(value).items() if key != "stats"}
    options = read_document(_INPUT, given, OLDER)
    if "url" not in options:
        raise Misread("a url is missing")
    return InputSettings(options.pop("url"), options.pop("priority", index + 1), options)


def _option(kind: Kind) -> Callable[[Any], str]:
    return lambda value: str(kind.read(str(value)))


_INPUT = {
    "url": Field("url", lambda value: read_input_url(text(value))),
    "priority": Field("priority", number(1, 1000)),
    **{name: Field(one.name, _option(one.kind)) for name, one in OPTIONS.items()},
}


def _write_inputs(inputs: tuple[InputSettings, ...]) -> list[Document]:
    return [{"url": one.url, "priority": one.priority, **one.options} for one in inputs]


def _mask_inputs(shown: list[Document]) -> list[Document]:
    return [{**one, "url": redact_url(one["url"])} for one in shown]


def _enabled(value: Any) -> bool | str:
    return value if value == "ondemand" else boolean(value)


def _sizes(value: Any) -> tuple[tuple[int, int], ...]:
    def size(one: Any) -> tuple[int, int]:
        if isinstance(one, str):
            return DIMENSIONS.read(one)  # type: ignore[no-any-return]
        pair = the_object(one)
        return DIMENSIONS.read(f"{pair.get('width')}x{pair.get('height')}")  # type: ignore[no-any-return]

    return words(size)(value)


_THUMBNAILS = {
    "enabled": Field("enabled", _enabled),
    "url": Field("url", as_text(HTTP_URL), masked=redact_url),
    "sizes": Field("sizes", _sizes, lambda value: [{"width": w, "height": h} for w, h in value]),
}


def _thumbnails(value: Any) -> ThumbnailSettings | None:
    if isinstance(value, bool):
        value = {"enabled": value}
    values = read_document(_THUMBNAILS, the_object(value), {})
    return None if values.get("enabled") is False else ThumbnailSettings(**values)


def _write_thumbnails(value: ThumbnailSettings | None) -> Document | None:
    return None if value is None else write_document(_THUMBNAILS, value, True)


def _mask_thumbnails(shown: Document) -> Document:
    return {key: redact_url(one) if key == "url" else one for key, one in shown.items()}


_AUTH = {
    "url": Field("url", text),
    "session_keys": Field("session_keys", words()),
    "max_sessions": Field("max_sessions", number(1, 1_000_000)),
    "soft_limitation": Field("soft_limitation", boolean),
    "allowed_countries": Field("allowed_countries", words(as_text(COUNTRY))),
    "disallowed_countries": Field("disallowed_countries", words(as_text(COUNTRY))),
    "extra": Field("extra", mapping),
}


def _auth(*schemes: str) -> Any:
    def read(value: Any) -> AuthSettings | None:
        if value is False:
            return None
        if isinstance(value, str):
            value = {"url": value}
        values = read_document(_AUTH, the_object(value), {})
        if "url" not in values:
            raise Misread("a url is missing")
        read_scheme(values["url"], schemes, ("lua", "securetoken"))
        return AuthSettings(**values)

    return read


def _write_auth(value: AuthSettings | None) -> Document | None:
    if value is None:
        return None
    document = write_document(_AUTH, value, True)
    return {
        key: list(one) if isinstance(one, tuple) else one for key, one in document.items() if one not in ({}, (), False)
    }


def _mask_extra(shown: Mapping[str, Any]) -> Document:
    """What is for somebody else may be anything: only what has a harmless name is shown."""
    return {key: one if is_harmless(key) and "://" not in str(one) else MASK for key, one in shown.items()}


def _mask_labels(shown: Mapping[str, Any]) -> Document:
    return {key: MASK if is_secret_name(key) else redact_text(str(one)) for key, one in shown.items()}


def _mask_auth(shown: Document) -> Document:
    extra = _mask_extra(shown.get("extra", {}))
    return {**shown, "url": redact_url(shown["url"]), **({"extra": extra} if extra else {})}


# -- the stream -----------------------------------------------------------------------------------------------------


def _protocols(value: Any) -> tuple[str, ...] | None:
    """A list of those allowed, or Flussonic's object of booleans."""
    if isinstance(value, dict):
        whitelist = value.get("whitelist", True)
        given = {key: boolean(on) for key, on in value.items() if key != "whitelist"}
        value = [key for key in ((*PROTOCOLS,) if not whitelist else given) if given.get(key, not whitelist)]
        for key in given:
            choice(*PROTOCOLS).read(key)
    return words(as_text(choice(*PROTOCOLS)))(value)


def _shown_timeout(value: int | None) -> int | bool:
    return False if value is None else value


STREAM_FIELDS = {
    "title": Field("title", text),
    "comment": Field("comment", text, masked=redact_text),
    "provider": Field("provider", text),
    "position": Field("position", number(0, 1_000_000_000)),
    "labels": Field("labels", mapping, lambda value: dict(value) or None, _mask_labels),
    "disabled": Field("disabled", boolean),
    "static": Field("static", boolean),
    "inputs": Field("inputs", _inputs, _write_inputs, _mask_inputs),
    "input_timeout": Field("input_timeout_s", timeout, _shown_timeout),
    "clients_timeout": Field("clients_timeout_s", timeout, _shown_timeout),
    "password": Field("password", text, masked=mask),
    "segment_duration": Field("segment_duration_ms", number(1000, 15_000)),
    "segment_count": Field("segment_count", number(2, 1000)),
    "hls_container": Field("hls_container", as_text(choice("fmp4", "mpegts"))),
    "thumbnails": Field("thumbnails", _thumbnails, _write_thumbnails, _mask_thumbnails),
    "protocols": Field("protocols", _protocols, lambda value: dict.fromkeys(value, True) if value else None),
    "session_keys": Field("session_keys", words(), lambda value: list(value) if value else None),
    "on_play": Field("on_play", _auth("http", "https", "auth", "securetoken"), _write_auth, _mask_auth),
    "on_publish": Field("on_publish", _auth("http", "https", "auth"), _write_auth, _mask_auth),
}


def read_stream(name: str, document: Mapping[str, Any], config: Config) -> StreamSettings:
    """The stream of a document as it is configured. DvrError BAD_REQUEST with the pointer to what is wrong."""
    fields = {
        **STREAM_FIELDS,
        "dvr": Field("dvr", lambda value: read_dvr(value, config.dvrs)),
        "template": Field("template", text),
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
            return _mask_extra(patch)
        if key == "labels":
            return _mask_labels(patch)
        return {name: mask_patch(value, name) for name, value in patch.items()}
    if isinstance(patch, list):
        return [mask_patch(one, key) for one in patch]
    if isinstance(patch, str):
        return MASK if key in SECRET_FIELDS else redact_text(patch)
    return patch
