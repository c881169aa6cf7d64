"""
/config, /config/stats, /event_sinks: the server as a whole; /config?format=openmetrics: all of its metrics.
"""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flussdvr import __version__
from flussdvr.archive.archive import Archive
from flussdvr.config import ConfigErrors, parse_config, write_config
from flussdvr.config.dvr_document import write_dvr
from flussdvr.config.model import Bucket, Config, EventSinkSettings
from flussdvr.config.stream_document import effective
from flussdvr.control.administration import Administration
from flussdvr.control.streams import Streams
from flussdvr.errors import DvrError, Kind
from flussdvr.logs.redaction import MASK, redact_url
from flussdvr.web.api.listing import page
from flussdvr.web.api.router import Call, Exposition, Router, Text
from flussdvr.web.api.stats import Clients, bitrate
from flussdvr.web.http.listeners import Listeners

Document = dict[str, Any]


def add_config(
    router: Router,
    administration: Administration,
    archive: Archive,
    streams: Streams,
    clients: Clients,
    now_ms: Callable[[], int],
    exposition: Exposition | None = None,
    listeners: Listeners | None = None,
) -> Callable[[], Document]:
    """Gives what `/config/stats` shows."""
    started_ms = now_ms()
    open_listeners = listeners or Listeners()

    def stats() -> Document:
        running = [entry for name in streams.names() if (entry := streams.entry(name)) is not None]
        usage = resource.getrusage(resource.RUSAGE_SELF)
        uptime_s = (now_ms() - started_ms) // 1000
        return {
            "server_version": __version__,
            "build": 0,
            "now": now_ms(),
            "started_at": started_ms // 1000,
            "uptime": uptime_s,
            "hostname": socket.gethostname(),
            "streamer_status": "running",
            "cpu_usage": round((usage.ru_utime + usage.ru_stime) * 100 / max(1, uptime_s) / (os.cpu_count() or 1)),
            "memory_usage": usage.ru_maxrss * 1024,
            "total_streams": len(running),
            "online_streams": sum(1 for entry in running if entry.stream.alive),
            "total_clients": sum(clients.online(entry.stream.name) for entry in running),
            "input_kbit": sum(bitrate(entry.stream.window) for entry in running if entry.stream.alive),
            "output_kbit": round(clients.bytes_per_s() * 8 / 1000),
            "partitions": [{"path": root.path, "mounted": root.uuid is not None} for root in archive.roots.values()],
            "listeners": open_listeners.documents(administration.config),
            "warnings": warnings(),
        }

    def warnings() -> list[Document]:
        return [one.document() for one in administration.config.warnings]

    @router.get("/config")
    async def get_config(call: Call) -> Document | Text:
        config = administration.config
        if call.query.get("format") == "openmetrics" and exposition is not None:
            return await exposition(False)
        if call.accepts("text/plain"):
            return Text(write_config(_without_stores(config), secrets=call.secrets).encode())
        return {
            "streams": [effective(one, call.secrets) | {"named_by": "config"} for one in config.streams.values()],
            "templates": [{"name": one.name, "prefixes": list(one.prefixes)} for one in config.templates.values()],
            "dvrs": [{"name": one.name, **write_dvr(one, None, call.secrets)} for one in config.dvrs.values()],
            "event_sinks": [_sink(one, call.secrets) for one in config.event_sinks.values()],
            "export_roots": [root.place if isinstance(root, Bucket) else root for root in config.export_roots],
            "listeners": open_listeners.documents(config),
            "warnings": warnings(),
            "stats": stats(),
        }

    @router.route("/config", "POST", text=True)
    async def check_config(call: Call) -> Document:
        if not isinstance(call.body, bytes):
            title = "the text of a configuration is needed, as text/plain"
            raise DvrError(Kind.BAD_REQUEST, "missing_body", title, {"pointer": ""})
        try:
            found = await router.compute(parse_config, call.body.decode("utf-8", "replace"))
        except ConfigErrors as errors:
            first = errors.errors[0]
            raise DvrError(Kind.BAD_REQUEST, "config_error", str(first), {"pointer": f"{first.line}"}) from None
        return {"streams": len(found.streams), "warnings": [one.document() for one in found.warnings]}

    @router.get("/config/stats")
    async def get_stats(call: Call) -> Document:
        return stats()

    @router.get("/event_sinks")
    async def list_sinks(call: Call) -> Document:
        sinks = [_sink(one, call.secrets) for one in administration.config.event_sinks.values()]
        return page(sinks, call.query).document("event_sinks")

    return stats


def _without_stores(config: Config) -> Config:
    """Whoever may edit streams may write below export_root, and nowhere else with its keys: nobody is told them."""
    roots = (replace(root, secret=MASK) if isinstance(root, Bucket) else root for root in config.export_roots)
    return replace(config, export_roots=tuple(roots))


def _sink(sink: EventSinkSettings, secrets: bool) -> Document:
    return {
        "name": sink.name,
        "url": sink.url if secrets else redact_url(sink.url),
        "only": [{key: list(values) for key, values in one.items()} for one in sink.only],
        "except": [{key: list(values) for key, values in one.items()} for one in sink.except_],
    }
