"""Who decides about the viewers of a stream, by the configuration of this moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from flussdvr.access.authority import Authority
from flussdvr.config.model import Config, StreamSettings
from flussdvr.errors import DvrError, Kind
from flussdvr.playback.sources import Streams as PlayedStreams


class Streams(PlayedStreams, Protocol):
    def settings(self, name: str) -> StreamSettings | None: ...


class Authorities:
    """`config()`: the configuration of this moment. `streams`: those that exist."""

    def __init__(self, config: Callable[[], Config], streams: Streams) -> None:
        self._config = config
        self._streams = streams
        self._restricted: tuple[Config, bool] | None = None

    def of(self, name: str) -> Authority | None:
        """`None` if everybody may watch. DvrError NOT_FOUND; DENIED where it is not known any more who decides."""
        config = self._config()
        settings = config.stream_for(name) or self._streams.settings(name)
        exists = self._streams.live(name) is not None or self._streams.archive(name) is not None
        if settings is None and exists and self._is_restricted(config):
            # Its own on_play has gone with its configuration, and it must not become public by that.
            raise DvrError(Kind.DENIED, "not_configured", "the stream is not configured any more")
        if settings is None or settings.on_play is None:
            if not exists:
                raise DvrError(Kind.NOT_FOUND, "stream_not_found", "there is no such stream", {"parameter": "name"})
            return None
        _, _, backend = settings.on_play.url.partition("://")
        is_lists = settings.on_play.url.lower().startswith("auth://")
        return Authority(settings.on_play, config.auth_backends.get(backend) if is_lists else None)

    def protocols(self, name: str) -> tuple[str, ...] | None:
        """What of a stream may be played; `None`: everything."""
        settings = self._config().stream_for(name) or self._streams.settings(name)
        return None if settings is None else settings.protocols

    def _is_restricted(self, config: Config) -> bool:
        """Whether any stream asks who watches it."""
        if self._restricted is None or self._restricted[0] is not config:
            streams = any(stream.on_play is not None for stream in config.streams.values())
            templates = any(template.values.get("on_play") is not None for template in config.templates.values())
            self._restricted = config, streams or templates
        return self._restricted[1]
