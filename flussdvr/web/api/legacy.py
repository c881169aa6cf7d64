"""
/flussonic/api/...: what scripts still use of the API before version 3 (docs/compatibility.md).

Names come last in these paths, slashes and all; `stream` and ranges in a JSON body or in the query.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flussdvr.archive.archive import Archive
from flussdvr.config import ConfigErrors, parse_config
from flussdvr.config.dvr_document import write_dvr
from flussdvr.config.model import DvrSettings
from flussdvr.config.patches import RESET
from flussdvr.config.stream_document import configured
from flussdvr.control.administration import Administration
from flussdvr.errors import DvrError, Kind
from flussdvr.playback.sources import source_of
from flussdvr.playback.status import newest_tracks, seconds
from flussdvr.timeline import Range
from flussdvr.web.api.dvr import check_copy
from flussdvr.web.api.legacy_config import changed, check_sections, of_text, shown
from flussdvr.web.api.moments import MAX_MS, moment, window
from flussdvr.web.api.router import Call, Router, Text, read_json
from flussdvr.web.api.streams import StreamDocuments, not_found

Document = dict[str, Any]
DEAD = 424
DAY_MS = 86_400_000


class Dead(DvrError):
    """424: the stream has no media now."""

    @property
    def status(self) -> int:
        return DEAD


def add_legacy(
    router: Router,
    administration: Administration,
    archive: Archive,
    streams: StreamDocuments,
    stats: Callable[[], Document],
    reload: Callable[[], None],
) -> None:
    def locked(name: str) -> list[Document]:
        found = archive.stream(name)
        if found is None:
            raise not_found(name)
        return [{"stream": name, "ranges": seconds(found.ranges()), "locks": seconds(found.locks)}]

    @router.get("/server")
    async def server(call: Call) -> Document:
        return stats()

    @router.get("/streams")
    async def list_streams(call: Call) -> Document:
        return {"streams": list(streams.all(call.secrets))}

    @router.get("/media")
    async def media(call: Call) -> list[Document]:
        found = []
        for one in streams.all(call.secrets):
            stats = one.pop("stats")
            found.append({"entry": "stream", "value": {"name": one["name"], "stats": stats, "options": one}})
        return found

    @router.get("/media_info/<path:name>")
    async def media_info(call: Call, name: str) -> Document:
        document = streams.one(name, False)["stats"]
        if "media_info" not in document:
            await newest_tracks(source_of(streams.streams, name))
            raise Dead(Kind.UNAVAILABLE, "stream_dead", f"{name} has no media now")
        found: Document = document["media_info"]
        return found

    @router.get("/stream_health/<path:name>")
    async def stream_health(call: Call, name: str) -> Text:
        if not streams.one(name, False)["stats"]["alive"]:
            raise Dead(Kind.UNAVAILABLE, "stream_dead", f"{name} has no media now")
        return Text(b"true\n", "application/json")

    @router.get("/dvr/lock")
    async def list_locks(call: Call) -> list[Document]:
        if "stream" in call.query or "name" in call.query:
            return locked(_stream(call))
        return [one for name in archive.streams() for one in locked(name) if one["locks"]]

    @router.get("/dvr_status/<year>/<month>/<day>/<path:name>")
    async def dvr_status(call: Call, year: str, month: str, day: str, name: str) -> list[Document]:
        """What is recorded and locked of one day (UTC), in the form of `recording_status.json`."""
        try:
            moment = datetime(int(year[:9]), int(month[:9]), int(day[:9]), tzinfo=UTC)
            begin_ms = max(0, int(moment.timestamp())) * 1000
        except (ValueError, OverflowError):
            raise DvrError(Kind.NOT_FOUND, "not_found", "there is no such day") from None
        return [within(name, Range(begin_ms, begin_ms + DAY_MS))]

    @router.post("/dvr/lock")
    async def lock(call: Call) -> list[Document]:
        name = _stream(call)
        check_copy(streams, name)
        await archive.lock(name, window(call))
        return locked(name)

    @router.post("/dvr/unlock")
    async def unlock(call: Call) -> list[Document]:
        name = _stream(call)
        check_copy(streams, name)
        await archive.unlock(name, window(call))
        return locked(name)

    @router.post("/stream_restart/<path:name>")
    async def stream_restart(call: Call, name: str) -> Document:
        await administration.stop_stream(name)
        return {"success": True}

    @router.post("/dvr_enable/<path:name>")
    async def dvr_enable(call: Call, name: str) -> Document:
        return await offline(name, False)

    @router.post("/dvr_disable/<path:name>")
    async def dvr_disable(call: Call, name: str) -> Document:
        return await offline(name, True)

    async def offline(name: str, off: bool) -> Document:
        if streams.one(name, False).get("dvr") is None:
            raise DvrError(Kind.CONFLICT, "no_dvr", f"{name} has no dvr", {"parameter": "name"})
        await administration.put_stream(name, {"dvr": {"dvr_offline": off}})
        return {"success": True}

    async def put_text(text: str, whole: bool) -> Document:
        """
        Streams in the grammar of the file, `whole`, or the lines that change; what is not supported and restricts
        nothing is told and passed over.
        """
        text = text.strip()
        text = "lenient; " + (text if text.endswith(("}", ";")) else text + ";")
        try:
            found = await router.compute(parse_config, text, "body", None, administration.config)
        except ConfigErrors as errors:
            raise DvrError(Kind.BAD_REQUEST, "config_error", str(errors.errors[0]), {"pointer": ""}) from None
        if not found.streams:
            raise DvrError(Kind.BAD_REQUEST, "not_supported", "only streams can be changed here", {"pointer": ""})
        for name, settings in found.streams.items():
            said = configured(settings, found)
            await administration.put_stream(name, {RESET: True, **said} if whole else of_text(text, name, said))
        warnings = [one for one in found.warnings if whole or not one.message.endswith("has no input")]
        return {"success": True, **({"warnings": [str(one) for one in warnings]} if warnings else {})}

    @router.route("/config/stream_create", "POST", text=True)
    async def stream_create(call: Call) -> Document:
        return await put_text((call.body or b"").decode("utf-8", "replace"), True)

    @router.route("/config/stream_delete", "POST", text=True)
    async def stream_delete(call: Call) -> Document:
        await administration.delete_stream((call.body or b"").decode("utf-8", "replace").strip())
        return {"success": True}

    @router.route("/modify_config", "POST", text=True)
    async def modify_config(call: Call) -> Document:
        """A patch as JSON, or streams in the grammar of the file."""
        body = call.body or b""
        if not body.lstrip().startswith((b"{", b"[", b'"')):
            return await put_text(body.decode("utf-8", "replace"), False)
        given = check_sections(await router.compute(read_json, body))
        now = shown_config(True)
        patches = {
            name: None if patch is None else changed(patch, now["streams"].get(name))
            for name, patch in given.get("streams", {}).items()
        }
        dvrs = {
            name: None if patch is None else changed(patch, now["dvrs"].get(name))
            for name, patch in given.get("dvrs", {}).items()
        }
        for name, patch in dvrs.items():
            if patch or (patch is not None and name not in now["dvrs"]):
                await administration.put_storage(name, patch)
        for name, patch in patches.items():
            if patch is None:
                await administration.delete_stream(name)
            elif patch or name not in now["streams"]:
                await administration.put_stream(name, patch)
        for name in [name for name, patch in dvrs.items() if patch is None]:
            await administration.delete_storage(name)
        return {"success": True}

    @router.get("/read_config")
    async def read_config(call: Call) -> Document:
        return shown_config(call.secrets)

    def shown_config(secrets: bool) -> Document:
        dvrs = {one.name or "": shown_dvr(one, secrets) for one in administration.config.dvrs.values()}
        return {"streams": {one["name"]: shown(one) for one in streams.all(secrets)}, "dvrs": dvrs}

    @router.post("/save_config")
    async def save_config(call: Call) -> Document:
        """What the API changes is kept when it answers."""
        return {"success": True}

    @router.post("/reload")
    async def reload_file(call: Call) -> Document:
        """As SIGHUP: how it ends is an event, and in the log."""
        reload()
        return {"success": True}

    @router.get("/whoami")
    async def whoami(call: Call) -> Document:
        return {"user": call.account.name, "role": "admin" if call.account.edit else "viewer"}

    @router.get("/recording_status")
    async def recording_status(call: Call) -> list[Document]:
        """What is recorded and locked of some streams, in a window or at all."""
        begin_ms = moment(call.query, "from") if "from" in call.query else 0
        end_ms = moment(call.query, "to") if call.query.get("to", "now") != "now" else MAX_MS
        if end_ms <= begin_ms:
            title = "to: expected something after from"
            raise DvrError(Kind.BAD_REQUEST, "invalid_parameter", title, {"parameter": "to"})
        names = [name for name in call.query.get("streams", "").split(",") if name]
        return [within(name, Range(begin_ms, end_ms)) for name in names or archive.streams()]

    def within(name: str, window: Range) -> Document:
        streams.one(name, False)
        found = archive.stream(name)
        ranges, locks = (found.ranges(window), found.locks.within(window)) if found is not None else ((), ())
        return {"stream": name, "ranges": seconds(ranges), "locks": seconds(locks)}


def shown_dvr(dvr: DvrSettings, secrets: bool) -> Document:
    document = {"name": dvr.name, **write_dvr(dvr, None, secrets)}
    document.pop("reference", None)
    return document


def _stream(call: Call) -> str:
    given = call.body if isinstance(call.body, dict) and call.body else call.query
    name = given.get("stream") or given.get("name")
    if not isinstance(name, str):
        raise DvrError(Kind.BAD_REQUEST, "missing_parameter", "stream is missing", {"parameter": "stream"})
    return name
