"""
/streams, /streams/{name}, /streams/{name}/stop: what is configured, runs or is recorded.

GET shows the effective configuration and `stats`; `?part=config_override` what the API has changed of it,
`?part=config_on_disk` what the file says; the list with `?format=openmetrics` is the streams' metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flussdvr.config.overrides import base_document
from flussdvr.config.stream_document import effective, mask_patch
from flussdvr.control.administration import Administration
from flussdvr.control.streams import Streams
from flussdvr.errors import DvrError, Kind
from flussdvr.web.api.listing import page
from flussdvr.web.api.router import Answer, Call, Exposition, Router, Text
from flussdvr.web.api.stats import Clients, stream_stats

Document = dict[str, Any]
SEARCHED = ("name", "title", "comment", "inputs", "labels")


class StreamDocuments:
    """Streams as the API shows them."""

    def __init__(
        self, administration: Administration, streams: Streams, clients: Clients, now_ms: Callable[[], int]
    ) -> None:
        self.administration = administration
        self.streams = streams
        self.clients = clients
        self.now_ms = now_ms

    def all(self, secrets: bool) -> Iterator[Document]:
        """A document of every stream that is configured, runs or has recordings."""
        names = {*self.administration.config.streams, *self.streams.names()}
        return (self._document(name, secrets, False) for name in names)

    def one(self, name: str, secrets: bool) -> Document:
        """DvrError NOT_FOUND."""
        archive = self.streams.archive(name)
        known = name in self.administration.config.streams or self.streams.entry(name) is not None
        if not known and (archive is None or not len(archive)):
            raise not_found(name)
        return self._document(name, secrets, True)

    def part(self, name: str, part: str, secrets: bool) -> Document:
        """`config_override` or `config_on_disk`. DvrError NOT_FOUND."""
        self.one(name, secrets)
        administration = self.administration
        if part == "config_override":
            found = administration.patches.get(name, {})
        else:
            found = base_document(name, administration.file)
        return {"name": name, **(found if secrets else mask_patch(found))}

    def _document(self, name: str, secrets: bool, whole: bool) -> Document:
        running = self.streams.entry(name)
        settings = self.administration.config.streams.get(name) or (running.settings if running is not None else None)
        document: Document = {"name": name} if settings is None else effective(settings, secrets)
        document["named_by"] = "config" if name in self.administration.config.streams else "user"
        archive = self.streams.archive(name)
        document["stats"] = stream_stats(name, running, archive, self.clients, self.now_ms(), whole)
        if running is not None and whole:
            inputs = document.get("inputs", [])
            tried = sorted(range(len(inputs)), key=lambda index: inputs[index]["priority"])  # as Inputs does
            for index, stats in zip(tried, running.inputs.stats(), strict=False):
                inputs[index]["stats"] = stats
        return document


def not_found(name: str) -> DvrError:
    return DvrError(Kind.NOT_FOUND, "stream_not_found", f"there is no stream {name[:200]}", {"parameter": "name"})


def add_streams(router: Router, documents: StreamDocuments, exposition: Exposition | None = None) -> None:
    administration = documents.administration

    @router.get("/streams")
    async def list_streams(call: Call) -> Document | Text:
        if call.query.get("format") == "openmetrics" and exposition is not None:
            return await exposition(True)
        found = page(documents.all(call.secrets), call.query, order="position,name", searched=SEARCHED)
        return found.document("streams")

    @router.get("/streams/<path:name>")
    async def get_stream(call: Call, name: str) -> Document:
        if part := call.query.get("part"):
            return documents.part(name, part, call.secrets)
        return documents.one(name, call.secrets)

    @router.put("/streams/<path:name>")
    async def put_stream(call: Call, name: str) -> Document | Answer:
        await administration.put_stream(name, call.body or {})
        document = documents.one(name, True)
        stuck = what_is_stuck(administration, name)
        return Answer(202, {**document, "pending": stuck}) if stuck else document

    @router.delete("/streams/<path:name>")
    async def delete_stream(call: Call, name: str) -> Answer | None:
        await administration.delete_stream(name)
        stuck = what_is_stuck(administration, name)
        return Answer(202, {"pending": stuck}) if stuck else None

    @router.post("/streams/<path:name>/stop")
    async def stop_stream(call: Call, name: str) -> Answer | None:
        await administration.stop_stream(name)
        stuck = what_is_stuck(administration, name)
        return Answer(202, {"pending": stuck}) if stuck else None


def what_is_stuck(administration: Administration, *streams: str) -> list[Document]:
    """Which of these streams wait for a disk to finish a change."""
    stuck = administration.streams.stuck
    names = [one for one in stuck if one in streams]
    return [{"stream": one, "code": stuck[one].code, "title": stuck[one].title} for one in names]
