# mypy: allow-untyped-calls, allow-untyped-decorators
# (twisted.web is not annotated, klein only in part)
"""
Everything under a stream's name: one route, one gate, one answer per kind of URL.

    /{name}/... --paths.parse--> value --admit--> session --singledispatch--> answer

docs/api.md tells the URLs, headers and statuses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import singledispatchmethod
from typing import Any, Protocol, TypeVar

from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from werkzeug.exceptions import HTTPException

from flussdvr.access.sessions import Session
from flussdvr.body.body import Body
from flussdvr.errors import DvrError, Kind
from flussdvr.logs.redaction import redact_request
from flussdvr.logs.repeated import Repeated, where
from flussdvr.playback.arrivals import is_coming_up, next_arrival
from flussdvr.playback.fragments import live_segment
from flussdvr.playback.hls.playlist import TS_VERSION, VERSION, MediaPlaylist, Variant, multivariant_playlist
from flussdvr.playback.hls.variants import Extent, Lists, variants
from flussdvr.playback.hls.windows import Following
from flussdvr.playback.limits import SMALL_SEGMENTS, segment_count
from flussdvr.playback.playback import Playback
from flussdvr.playback.slots import Slots
from flussdvr.playback.sources import NO_RECORDINGS, Source, Streams, source_of
from flussdvr.playback.status import media_info, newest_tracks, recording_status, write_status
from flussdvr.playback.view import View
from flussdvr.threads import Busy, Worker
from flussdvr.timeline import Range, RangeSet
from flussdvr.urls.paths import parse
from flussdvr.urls.values import (
    ArchivePlaylist,
    InitSegment,
    LivePlaylist,
    LiveTs,
    MediaInfo,
    MediaPath,
    Mp4Export,
    Picture,
    Playlist,
    RangeList,
    RecordingStatus,
    RewindPlaylist,
    Segment,
    TimeshiftAbsPlaylist,
    TimeshiftAbsTs,
    TimeshiftRelPlaylist,
    TimeshiftRelTs,
    TsExport,
    spell,
)
from flussdvr.web.http.budget import Budget
from flussdvr.web.http.facts import CACHE, DISK
from flussdvr.web.http.sender import Sender, write_chunks
from flussdvr.web.http.site import DvrRequest, player_preflight, write_error
from flussdvr.web.media.admission import Admission
from flussdvr.web.media.range_list import range_list

T = TypeVar("T")
HLS = b"application/vnd.apple.mpegurl"
MP4 = b"video/mp4"
MPEG_TS = b"video/mp2t"
TAR = b"application/x-tar"
IMMUTABLE = b"public, max-age=86400, immutable"
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"]
GZIP_FROM = 1000
"""Shorter playlists are sent as they are."""
GZIP_IN_REACTOR = 48 << 10
"""More text than this (about 2 ms) is compressed in the CPU worker."""
MANY_RANGES = 1000
"""More ranges are listed by the CPU worker: 10 000 of them would hold the reactor for about 10 ms."""
FIRST_SEGMENT_S = 8.0
"""How long a list waits for the first segment; players give up after 10 s."""
RETRY_AFTER_S = b"2"
FEW = 2
"""Blobs that the multivariant playlist of a timeshift looks at: what it lists later cannot be known."""
RENDITION_WINDOW_MS = 2 * 3_600_000
"""How far into a window a multivariant playlist looks to measure it."""


class Settings(Protocol):
    """What of a stream's configuration playback needs."""

    @property
    def hls_container(self) -> str: ...
    @property
    def title(self) -> str | None: ...
    @property
    def provider(self) -> str | None: ...


class Pictures(Protocol):
    async def answer(
        self, parsed: Picture, source: Source, request: DvrRequest, permitted: Callable[[int], bool]
    ) -> None:
        """
        Answer a request for a picture, with one of a moment (UTC ms) that is `permitted`; raises `DvrError`.
        """

    def image_stream(self, parsed: ArchivePlaylist, width: int, height: int, up: str) -> bytes:
        """A line of a multivariant playlist that names one of pictures; raises `DvrError`."""

    async def stored(self, source: Source, window: Range) -> list[int]:
        """When thumbnails were stored, in seconds; raises `DvrError`."""


class MediaSite:
    """
    The media URLs of every stream.

    `settings(name)` is a stream's configuration, `None` for one that is only in the archive. `pictures` answers the
    picture URLs; without it they are 501.
    """

    log = Logger()
    _app = Klein()
    _app.url_map.merge_slashes = False

    def __init__(
        self,
        streams: Streams,
        playback: Playback,
        sender: Sender,
        admission: Admission,
        now_ms: Callable[[], int],
        cpu: Worker,
        settings: Callable[[str], Settings | None] = lambda name: None,
        pictures: Pictures | None = None,
    ) -> None:
        self.streams = streams
        self.playback = playback
        self.sender = sender
        self.admission = admission
        self.now_ms = now_ms
        self.cpu = cpu
        self.settings = settings
        self._troubles = Repeated(self.log)
        self.pictures = pictures
        self.budget = Budget()
        self.lists = Slots("long playlists", 1, 50, 3)

    def resource(self) -> IResource:
        return self._app.resource()

    # -- the route and the gate ---------------------------------------------------------------------------------------

    @_app.route("/<path:path>", methods=METHODS)
    async def media(self, request: DvrRequest, path: str) -> bytes | None:
        if request.method == b"OPTIONS":
            for name, value in player_preflight(request.getHeader("access-control-request-headers")).items():
                request.setHeader(name, value)
            request.setResponseCode(204)
            return None
        raw, _, query = request.uri.decode("ascii").partition("?")
        parsed = request.facts.parsed = parse(raw, query)
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD, OPTIONS")
            title = f"{request.method.decode()} is not possible here"
            return write_error(request, DvrError(Kind.BAD_REQUEST, "unknown_operation", title), 405)
        session, parsed = await self.admission.admit(request, parsed)
        request.facts.session_id, request.facts.country = session.id, session.country
        request.setHeader(b"x-session", session.id.encode())
        source = source_of(self.streams, parsed.name)
        try:
            await self.answer(parsed, source, request, session)
        except DvrError as error:
            if not self._is_possible(parsed, request, error):
                raise
        return None

    def _is_possible(self, parsed: MediaPath, request: DvrRequest, error: DvrError) -> bool:
        """
        Answers HEAD of a window in which nothing is recorded by its type alone: players try a URL of some hours ago to
        learn what such URLs give.
        """
        content_type = type_of(parsed)
        if request.method != b"HEAD" or error.code != NO_RECORDINGS or content_type is None or request.startedWriting:
            return False
        request.setHeader(b"content-type", content_type)
        request.setHeader(b"cache-control", b"no-store")
        return True

    @_app.handle_errors(CancelledError)
    def gone(self, request: Any, failure: Failure) -> bytes:
        """The client went away; nobody reads an answer."""
        return b""

    @_app.handle_errors(DvrError)
    def refused(self, request: Any, failure: Failure) -> bytes:
        error = failure.value
        assert isinstance(error, DvrError)
        if isinstance(error, Busy):
            request.setHeader(b"retry-after", RETRY_AFTER_S)
        if request.startedWriting:
            self.log.info("{uri} ended: {error}", uri=redact_request(request.uri), error=error)
            request.channel.transport.abortConnection()
            return b""
        return write_error(request, error)

    @_app.handle_errors(HTTPException)
    def unroutable(self, request: Any, failure: Failure) -> bytes:
        status = getattr(failure.value, "code", None) or 404
        if status == 405:
            return write_error(request, DvrError(Kind.BAD_REQUEST, "unknown_operation", "no such method here"), 405)
        return write_error(request, DvrError(Kind.NOT_FOUND, "not_found", "no such media URL"))

    @_app.handle_errors(Exception)
    def crashed(self, request: Any, failure: Failure) -> bytes:
        fields = {"method": request.method.decode("latin-1"), "uri": redact_request(request.uri)}
        self._troubles.failure(where(failure), "{method} {uri} failed", failure, **fields)
        if request.startedWriting:
            request.channel.transport.abortConnection()
            return b""
        return write_error(request, DvrError(Kind.INTERNAL, "internal_error", "internal error"))

    # -- one answer per kind of URL -----------------------------------------------------------------------------------

    @singledispatchmethod
    async def answer(self, parsed: MediaPath, source: Source, request: DvrRequest, session: Session) -> None:
        raise DvrError(Kind.NOT_FOUND, "not_found", "no such media URL")

    @answer.register
    async def _playlist(self, parsed: Playlist, source: Source, request: DvrRequest, session: Session) -> None:
        settings = self.settings(parsed.name)
        container = parsed.container or (settings.hls_container if settings is not None else "fmp4")
        view = View("ts" if container in ("ts", "mpegts") else "fmp4", parsed.tracks, codec=parsed.codec)
        if parsed.multivariant:
            up = parsed.up
            made = await self._when_there(
                lambda: self._variants(parsed, source, session, view), source, parsed, request
            )
            version = TS_VERSION if view.container == "ts" else VERSION
            data = multivariant_playlist(made, version)
            if (
                isinstance(parsed, ArchivePlaylist)
                and parsed.duration_ms
                and parsed.parameter("thumbnails") is not None
            ):
                data += self._images(parsed, made[0], up)
            request.setHeader(b"cache-control", b"no-cache")
            await self._write(data, HLS, request)
            return
        opens = request.method != b"HEAD"
        playlist = await self._when_there(
            lambda: self._in_turn(
                parsed, source, session, lambda: self._media_playlist(parsed, source, session, view, opens)
            ),
            source,
            parsed,
            request,
        )
        with self.budget.hold(f"{source.name} {parsed}", client_of(session), playlist.size):
            await self._write_playlist(playlist, request, parsed.propagated)

    async def _when_there(
        self, make: Callable[[], Awaitable[T]], source: Source, parsed: Playlist, request: DvrRequest
    ) -> T:
        """
        What `make` gives. Of a stream that is just coming up it waits for the first segment, a short while: then it is
        503 `stream_starting`, for players to come back.
        """
        clock = self.sender.reactor
        until_s = clock.seconds() + FIRST_SEGMENT_S
        while True:
            try:
                return await make()
            except DvrError as error:
                coming = self._reaches_now(parsed) and is_coming_up(source, self.now_ms())
                if error.code != NO_RECORDINGS or not coming or request.method == b"HEAD":
                    raise
            left_s = until_s - clock.seconds()
            if left_s <= 0:
                request.setHeader(b"retry-after", RETRY_AFTER_S)
                raise DvrError(Kind.UNAVAILABLE, "stream_starting", "the stream has just begun and has no segment yet")
            await next_arrival(source.window, clock, left_s)

    def _reaches_now(self, parsed: Playlist) -> bool:
        """Whether what is recorded next will be in the list."""
        now = self.now_ms()
        match parsed:
            case ArchivePlaylist():
                duration_ms = parsed.duration_ms
                return parsed.from_ms <= now and (duration_ms is None or now < parsed.from_ms + duration_ms)
            case TimeshiftAbsPlaylist():
                return parsed.from_ms <= now
            case TimeshiftRelPlaylist():
                return not parsed.delay_ms
            case _:
                return True

    async def _in_turn(
        self, parsed: Playlist, source: Source, session: Session, make: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """What `make` gives; one long list after the other. DvrError TOO_LARGE, `Busy`."""
        count = self._segments(parsed, source, self._window(parsed, session))
        return await make() if count <= SMALL_SEGMENTS else await self.lists.do(client_of(session), make)

    def _segments(self, parsed: Playlist, source: Source, window: Range | None) -> int:
        """How many the list has, about: those of a timeshift and of what is live are few. DvrError TOO_LARGE."""
        if source.archive is None or window is None or not isinstance(parsed, ArchivePlaylist | RewindPlaylist):
            return 0
        return segment_count(source.archive, window)

    async def _variants(self, parsed: Playlist, source: Source, session: Session, view: View) -> list[Variant]:
        window = self._window(parsed, session)
        self._segments(parsed, source, window)
        ends = isinstance(parsed, ArchivePlaylist) and parsed.duration_ms is not None
        grows = not ends or (window is not None and window.end_ms > self.now_ms())
        extent = Extent(window, None, grows, not isinstance(parsed, ArchivePlaylist))
        if window is not None and isinstance(parsed, TimeshiftAbsPlaylist):
            extent = replace(extent, edge_ms=window.begin_ms, measured=FEW)
        elif window is not None and isinstance(parsed, TimeshiftRelPlaylist):
            extent = replace(extent, edge_ms=window.end_ms, measured=FEW)
        lists = Lists(parsed.child, parsed.up, parsed.inherited)
        return await variants(self.playback.hls.blocks, source, extent, view, lists)

    def _images(self, parsed: ArchivePlaylist, variant: Variant, up: str) -> bytes:
        if self.pictures is None or not variant.width:
            return b""
        return self.pictures.image_stream(parsed, variant.width, variant.height, up)

    async def _media_playlist(
        self, parsed: Playlist, source: Source, session: Session, view: View, opens: bool
    ) -> MediaPlaylist:
        """`opens`: whether a timeshift begins with this, or is only asked about."""
        hls = self.playback.hls
        match parsed:
            case ArchivePlaylist():
                return await hls.archive(source, parsed.from_ms, parsed.duration_ms, parsed.event, view)
            case RewindPlaylist():
                return await hls.rewind(source, parsed.back_ms, view)
            case TimeshiftAbsPlaylist():
                opened = now = self.now_ms()
                if opens:
                    opened = session.timeshift_opened(parsed.from_ms, now, parsed.opening)
                return await hls.timeshift_abs(source, parsed.from_ms, opened, view)
            case TimeshiftRelPlaylist() if parsed.delay_ms:
                following = session.followed(parsed.delay_ms) if opens else Following()
                return await hls.timeshift_rel(source, parsed.delay_ms, view, following)
            case _:
                return await hls.live(source, view)

    def _window(self, parsed: Playlist, session: Session) -> Range | None:
        """Where a multivariant playlist looks for what it describes; `None` is the live window."""
        now = self.now_ms()
        match parsed:
            case ArchivePlaylist():
                end = now if parsed.duration_ms is None else parsed.from_ms + parsed.duration_ms
                begin = parsed.from_ms
            case RewindPlaylist():
                begin, end = now - parsed.back_ms, now
            case TimeshiftAbsPlaylist():
                begin, end = parsed.from_ms, now
            case TimeshiftRelPlaylist() if parsed.delay_ms:
                begin, end = now - parsed.delay_ms - RENDITION_WINDOW_MS, now - parsed.delay_ms
            case _:
                return None
        begin = max(0, begin)
        return Range(begin, max(begin, end))

    @answer.register
    async def _segment(self, parsed: Segment, source: Source, request: DvrRequest, session: Session) -> None:
        view = View(parsed.container, parsed.tracks)
        made = self.playback.segments.is_made(source, parsed.begin_ms, parsed.duration_ms, view)
        facts = request.facts
        facts.live = live_segment(source, parsed.begin_ms, parsed.duration_ms) is not None
        if parsed.container == "ts" and not facts.live:
            facts.source = CACHE if made else DISK
        body = await self.playback.segments.body(source, parsed.begin_ms, parsed.duration_ms, view)
        request.setHeader(b"content-type", MPEG_TS if parsed.container == "ts" else MP4)
        request.setHeader(b"cache-control", IMMUTABLE)
        await self.sender.send(body, request, f'"{parsed.begin_ms:x}-{len(body):x}"')

    @answer.register
    async def _init(self, parsed: InitSegment, source: Source, request: DvrRequest, session: Session) -> None:
        data = await self.playback.inits.find(source, parsed.digest, parsed.tracks)
        request.setHeader(b"content-type", MP4)
        request.setHeader(b"cache-control", IMMUTABLE)
        await self.sender.send(Body((data,)), request, f'"{parsed.digest}"')

    @answer.register
    async def _mp4(self, parsed: Mp4Export, source: Source, request: DvrRequest, session: Session) -> None:
        begun = self.now_ms()
        export = await self.playback.exports.mp4(
            source,
            parsed.from_ms,
            parsed.duration_ms,
            parsed.tracks,
            parsed.keep_gaps,
            parsed.split,
            client_of(session),
        )
        request.setHeader(b"content-type", TAR if parsed.split else MP4)
        request.setHeader(b"x-prepare-time", str(max(0, self.now_ms() - begun)).encode())
        self._attachment(parsed, request, "tar" if parsed.split else "mp4")
        with self.budget.hold(export.etag, client_of(session), export.held):
            await self.sender.send(export.body, request, export.etag)

    @answer.register
    async def _ts(self, parsed: TsExport, source: Source, request: DvrRequest, session: Session) -> None:
        export = await self.playback.ts.export(source, parsed.from_ms, parsed.duration_ms, parsed.tracks)
        self._attachment(parsed, request, "ts")
        request.facts.source = DISK
        if export.length is None:
            await self._stream(export.chunks(0, None), request)
            return
        request.setHeader(b"content-type", MPEG_TS)
        await self.sender.send_made(export.length, export.chunks, request, export.etag)

    @answer.register
    async def _live_ts(self, parsed: LiveTs, source: Source, request: DvrRequest, session: Session) -> None:
        await self._stream(await self.playback.ts.live(source, parsed.tracks, request.lost), request)

    @answer.register
    async def _abs_ts(self, parsed: TimeshiftAbsTs, source: Source, request: DvrRequest, session: Session) -> None:
        request.facts.source = DISK
        await self._stream(await self.playback.ts.timeshift_abs(source, parsed.from_ms, parsed.tracks), request)

    @answer.register
    async def _rel_ts(self, parsed: TimeshiftRelTs, source: Source, request: DvrRequest, session: Session) -> None:
        request.facts.source = DISK
        stream = await self.playback.ts.timeshift_rel(source, parsed.delay_ms, parsed.tracks, request.lost)
        await self._stream(stream, request)

    @answer.register
    async def _picture(self, parsed: Picture, source: Source, request: DvrRequest, session: Session) -> None:
        if self.pictures is None:
            error = DvrError(Kind.UNAVAILABLE, "not_implemented", "pictures are not available")
            request.write(write_error(request, error, 501))
            return
        held = session.archive

        def permitted(at_ms: int) -> bool:
            return held is None or held.verdict.covers(Range(at_ms, at_ms + 1), False)

        await self.pictures.answer(parsed, source, request, permitted)

    @answer.register
    async def _status(self, parsed: RecordingStatus, source: Source, request: DvrRequest, session: Session) -> None:
        now = self.now_ms()
        end = parsed.to_ms if parsed.to_ms is not None else now
        window = Range(min(parsed.from_ms or 0, end), end)
        thumbnails: list[int] = []
        if self.pictures is not None and "brief_thumbnails" in parsed.requested:
            thumbnails = await self.pictures.stored(source, window)
        await self._write_status(recording_status(source, window, parsed.requested, thumbnails), source, request)

    @answer.register
    async def _ranges(self, parsed: RangeList, source: Source, request: DvrRequest, session: Session) -> None:
        recorded = source.archive.ranges() if source.archive is not None else RangeSet()
        if len(recorded) <= MANY_RANGES:
            data = range_list(recorded, parsed)
        else:
            data = await self.cpu.do(range_list, recorded, parsed)
        request.setHeader(b"cache-control", b"no-cache")
        await self._write(data, b"application/json", request)

    @answer.register
    async def _info(self, parsed: MediaInfo, source: Source, request: DvrRequest, session: Session) -> None:
        settings = self.settings(parsed.name)
        title, provider = (settings.title, settings.provider) if settings is not None else (None, None)
        info = media_info(source, await newest_tracks(source), title, provider, self.now_ms())
        await self._write_status(info, source, request)

    # -- writing ------------------------------------------------------------------------------------------------------

    async def _write_playlist(self, playlist: MediaPlaylist, request: DvrRequest, query: str) -> None:
        playlist = playlist.with_query(query)
        request.setHeader(b"cache-control", b"no-cache")
        request.setHeader(b"vary", b"Accept-Encoding")
        if playlist.size < GZIP_FROM or not accepts_gzip(request):
            await self._write(playlist.render(), HLS, request)
            return
        request.setHeader(b"content-encoding", b"gzip")
        if playlist.uncompressed < GZIP_IN_REACTOR:
            await self._write(playlist.render_gzip(), HLS, request)
        else:
            await self._write(await self.cpu.do(playlist.render_gzip), HLS, request)

    async def _write(self, data: bytes, content_type: bytes, request: DvrRequest) -> None:
        """A whole small answer. Ranges are not for what is another text at the next request."""
        request.setHeader(b"content-type", content_type)
        await self.sender.send(Body((data,)), request, ranges=False)

    async def _write_status(self, value: Any, source: Source, request: DvrRequest) -> None:
        request.setHeader(b"cache-control", b"no-cache")
        many = source.archive is not None and len(source.archive) > MANY_RANGES
        data = await self.cpu.do(write_status, value) if many else write_status(value)
        await self._write(data, b"application/json", request)

    async def _stream(self, chunks: AsyncIterator[bytes], request: DvrRequest) -> None:
        request.setHeader(b"content-type", MPEG_TS)
        request.setHeader(b"cache-control", b"no-store")
        if request.method != b"HEAD":
            await write_chunks(chunks, request)

    def _attachment(self, parsed: Mp4Export | TsExport, request: DvrRequest, extension: str) -> None:
        duration = "now" if parsed.duration_ms is None else spell(parsed.duration_ms)
        name = "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "_" for char in parsed.name)
        filename = f"{name}_{spell(parsed.from_ms)}_{duration}.{extension}"
        request.setHeader(b"content-disposition", f"attachment; filename={filename}".encode())


def client_of(session: Session) -> str:
    """Who has a share of the server's memory: an address, where it is known."""
    return session.ip or session.id


def type_of(parsed: MediaPath) -> bytes | None:
    """The content type of a URL of the archive that has a window, whatever is recorded; `None` for others."""
    match parsed:
        case LivePlaylist():
            return None
        case Playlist():
            return HLS
        case TsExport() | TimeshiftAbsTs() | TimeshiftRelTs():
            return MPEG_TS
        case Mp4Export():
            return MP4
        case _:
            return None


def accepts_gzip(request: DvrRequest) -> bool:
    """Whether `Accept-Encoding` allows gzip (RFC 9110 §12.5.3)."""
    for item in (request.getHeader("accept-encoding") or "").lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
