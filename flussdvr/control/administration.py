"""
What an administrator changes while the server runs.

    file --reload--> [ file, patches ] --apply--> config --> archive: how long to keep    streams: what runs
                         ^ PUT, DELETE: kept in the catalog before they take effect

One change after the other: each sees the result of the one before, and a crash leaves all of it or nothing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from flussdvr.archive.archive import Archive
from flussdvr.config.documents import Document
from flussdvr.config.dvr_overrides import apply_storage_patch, apply_storage_patches, extend_storage_patch, users
from flussdvr.config.model import Config, DvrSettings
from flussdvr.config.overrides import apply_overrides, apply_patch, check_countries, check_neighbours, extend_patch
from flussdvr.control.streams import Streams
from flussdvr.database.subjects import Overrides
from flussdvr.errors import DvrError, Kind
from flussdvr.json_text import parse_json

MAX_PATCH = 16 << 20
"""Characters of a patch in the catalog."""
T = TypeVar("T")


class Administration:
    """
    The configuration that holds: `file` as it was read, `storage_patches` by dvr and `patches` by stream over it,
    `config` the result.

    `await load()` first; `streams` is given once it exists.
    """

    log = Logger()

    def __init__(self, file: Config, archive: Archive) -> None:
        self.file = file
        self.config = file
        self.patches: dict[str, Document] = {}
        self.storage_patches: dict[str, Document] = {}
        self._base = file
        """The file with its storages patched: what the patches of streams are for."""
        self.streams: Streams
        self._archive = archive
        self._lock: DeferredLock = DeferredLock()

    # -- start and reload -------------------------------------------------------------------------------------

    async def load(self) -> None:
        """The patches of the catalog over the file, and everything that follows from them."""
        catalog = self._archive.catalog
        self.storage_patches = await self._read(catalog.dvr_overrides)
        self.patches = await self._read(catalog.stream_overrides)
        await self.reload(self.file)

    async def _read(self, stored: Overrides) -> dict[str, Document]:
        """The patches that are some; what else stands there is set aside, and keeps nobody from starting."""
        patches: dict[str, Document] = {}
        for name, text in (await stored.all()).items():
            try:
                patch = parse_json(text, MAX_PATCH)
                if not isinstance(patch, dict):
                    raise ValueError("it is no object")
                patches[name] = patch
            except ValueError as error:
                await stored.set_aside(name, str(error)[:200])
        return patches

    async def reload(self, file: Config) -> None:
        await self._alone(lambda: self._reload(file))

    async def _reload(self, file: Config) -> None:
        self.file = file
        self._base, misfits = apply_storage_patches(file, self.storage_patches)
        self.config, problems = apply_overrides(self._base, self.patches)
        for problem in misfits + problems:
            self.log.error("{problem}", problem=problem)
        for name in {*self._archive.streams(), *self.config.streams}:
            self._archive.set_policy(name, self.policy(name))
        await self.streams.apply(self.config.streams)

    def policy(self, name: str) -> DvrSettings | None:
        """How long recordings of a stream are kept."""
        settings = self.config.stream_for(name)
        return settings.dvr if settings is not None else None

    # -- streams ----------------------------------------------------------------------------------------------

    async def put_stream(self, name: str, patch: Mapping[str, Any]) -> None:
        """Create or change a stream, durably. DvrError BAD_REQUEST, CONFLICT, UNAVAILABLE: nothing has changed."""
        await self._alone(lambda: self._put(name, patch))

    async def _put(self, name: str, patch: Mapping[str, Any]) -> None:
        extended = extend_patch(self.patches.get(name, {}), patch)
        settings = apply_patch(name, extended, self._base)
        check_countries(settings, self.file)
        if name not in self.config.streams:
            check_neighbours(name, {*self.config.streams, *self.streams.names()})
        for at, one in enumerate(settings.inputs):
            try:
                self.streams.check(replace(settings, inputs=(one,)))
            except ValueError as error:
                where = {"pointer": f"/inputs/{at}/url"}
                raise DvrError(Kind.BAD_REQUEST, "invalid_value", str(error), where) from None
        if extended != self.patches.get(name):
            await self._archive.catalog.stream_overrides.replace(name, json.dumps(extended))
        self.patches[name] = extended
        self.config = replace(self.config, streams={**self.config.streams, name: settings})
        self._archive.set_policy(name, settings.dvr)
        await self.streams.put(name, settings)

    async def delete_stream(self, name: str) -> None:
        """
        Take back what the API has said of a stream; its recordings stay.

        DvrError NOT_FOUND; CONFLICT for one that is as the file has it.
        """
        await self._alone(lambda: self._delete(name))

    async def _delete(self, name: str) -> None:
        if name not in self.patches:
            if name in self.file.streams:
                raise DvrError(Kind.CONFLICT, "configured_in_file", f"{name} is configured in the file: PUT disabled")
            if self.streams.entry(name) is None:
                raise DvrError(Kind.NOT_FOUND, "stream_not_found", f"{name} is not configured", {"parameter": "name"})
            await self.streams.remove(name)  # made on demand of a template
            return
        await self._archive.catalog.stream_overrides.replace(name, None)
        del self.patches[name]
        streams = {one: settings for one, settings in self.config.streams.items() if one != name}
        if (settings := self._base.streams.get(name)) is not None:
            streams[name] = settings
        self.config = replace(self.config, streams=streams)
        self._archive.set_policy(name, self.policy(name))
        await self.streams.put(name, settings)

    async def stop_stream(self, name: str) -> None:
        """Static streams start anew, others just stop. DvrError NOT_FOUND."""
        await self._alone(lambda: self._stop(name))

    async def _stop(self, name: str) -> None:
        if not await self.streams.restart(name):
            raise DvrError(Kind.NOT_FOUND, "stream_not_found", f"{name} does not run", {"parameter": "name"})

    # -- storages ---------------------------------------------------------------------------------------------

    async def put_storage(self, name: str, patch: Mapping[str, Any]) -> None:
        """
        Create or change a `dvr NAME {}`, durably, and with it what refers to it.

        DvrError BAD_REQUEST, UNAVAILABLE: nothing has changed.
        """
        await self._alone(lambda: self._put_storage(name, patch))

    async def _put_storage(self, name: str, patch: Mapping[str, Any]) -> None:
        extended = extend_storage_patch(self.storage_patches.get(name, {}), patch)
        apply_storage_patch(name, extended, self.file)
        if extended == self.storage_patches.get(name):
            return
        await self._archive.catalog.dvr_overrides.replace(name, json.dumps(extended))
        self.storage_patches[name] = extended
        await self._reload(self.file)

    async def delete_storage(self, name: str) -> None:
        """
        Take back what the API has said of a storage; what is recorded there stays.

        DvrError NOT_FOUND; CONFLICT for one that is as the file has it, or that streams record to.
        """
        await self._alone(lambda: self._delete_storage(name))

    async def _delete_storage(self, name: str) -> None:
        if name not in self.storage_patches:
            if name in self.file.dvrs:
                raise DvrError(Kind.CONFLICT, "configured_in_file", f"{name} is configured in the file")
            raise DvrError(Kind.NOT_FOUND, "dvr_not_found", f"there is no dvr {name[:200]}", {"parameter": "name"})
        if name not in self.file.dvrs and (found := users(name, self.config)):
            title = f"{', '.join(found[:3])}{' and others' if len(found) > 3 else ''}: recorded to {name}"
            raise DvrError(Kind.CONFLICT, "dvr_in_use", title, {"parameter": "name"})
        await self._archive.catalog.dvr_overrides.replace(name, None)
        del self.storage_patches[name]
        await self._reload(self.file)

    async def _alone(self, change: Callable[[], Awaitable[T]]) -> T:
        """One change at a time. It goes on when the one who asked for it goes away."""

        async def locked() -> T:
            await self._lock.acquire()
            try:
                return await change()
            finally:
                self._lock.release()

        done: Deferred[T] = Deferred.fromCoroutine(locked())
        mine: Deferred[T] = Deferred()
        done.addBoth(lambda result: None if mine.called else mine.callback(result))
        return await mine
