"""
Links: a URL that lets whoever has it see one span of one stream, for a time, and perhaps only so many viewers.

    token = base64url( id, 8 bytes | HMAC-SHA256(key, id + stream), its first 16 bytes )       32 characters

What a link opens stands in its row in the catalog, not in the token. A link that only so many may use counts its
viewers there before the first of them gets a byte, so that no crash gives a use back; who has been counted comes back
as often as they like. How many have used one without a limit is written down when there is time for it.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from flussdvr.caching.lru import Lru
from flussdvr.database.rows import LinkRow
from flussdvr.database.subjects import Links as StoredLinks
from flussdvr.errors import DvrError, Kind
from flussdvr.events.types.event import OnEvent
from flussdvr.events.types.viewers import DvrLinkMade, DvrLinkRevoked
from flussdvr.timeline import Range

PARAMETER = "link"
"""Of a URL: its value is the token."""
FORMATS = ("mp4", "hls", "ts", "jpg")
"""What a link may open of its span."""
ID, MAC = 8, 16
"""Bytes of a token; together a multiple of three, so that every character of it counts."""
TOKEN = (ID + MAC) * 4 // 3
KEPT = 10_000
REMEMBERED_MS = 30 * 86_400_000
"""How long after its end a link is still known, and refused by its own reason."""
VIEWERS = 50_000


class Links:
    """`key`: 32 bytes that sign; `on_event` is told of links that are made and revoked. `await load()` first."""

    log = Logger()

    def __init__(
        self,
        key: bytes,
        stored: StoredLinks,
        now_ms: Callable[[], int],
        on_event: OnEvent = lambda event: None,
        trusts_clock: Callable[[], bool] = lambda: True,
    ) -> None:
        self.now_ms = now_ms
        self._trusts_clock = trusts_clock
        self._on_event = on_event
        self._key = key
        self._stored = stored
        self._links: dict[str, LinkRow] = {}
        self._viewers: Lru[tuple[str, bytes], bool] = Lru(VIEWERS)
        self._unwritten: set[str] = set()
        self._writing = False

    def use_key(self, key: bytes) -> None:
        """From now on: tokens by another are none any more."""
        self._key = key

    async def load(self) -> None:
        """Before anybody is let in. DvrError UNAVAILABLE without the catalog."""
        self._links = {link.id: link for link in await self._stored.all()}
        try:
            await self._forget()
        except DvrError as error:
            self.log.warn("links that are over are not deleted: {error}", error=error)

    def of(self, stream: str) -> list[LinkRow]:
        """Those of a stream that are not revoked, oldest first."""
        return [link for link in self._links.values() if link.stream == stream and not link.revoked]

    def find(self, token: str, stream: str) -> LinkRow | None:
        """The link of this token, if it is one of this stream; it may be over."""
        id = _read(token)
        if id is None or not hmac.compare_digest(token, self._sign(id, stream)):
            return None
        link = self._links.get(id.hex())
        return link if link is not None and link.stream == stream else None

    def token(self, link: LinkRow) -> str:
        return self._sign(bytes.fromhex(link.id), link.stream)

    async def make(
        self,
        stream: str,
        span: Range,
        formats: tuple[str, ...],
        expires_ms: int,
        max_uses: int | None,
        title: str | None,
        created_by: str,
    ) -> LinkRow:
        """A new one, kept durably. DvrError CONFLICT for too many."""
        await self._forget()
        if len(self._links) >= KEPT:
            raise DvrError(Kind.CONFLICT, "too_many_links", f"there are {KEPT} links: revoke some")
        now = self.now_ms()
        id = secrets.token_hex(ID)
        row = stream, span.begin_ms, span.end_ms, formats, expires_ms, max_uses, 0, title, created_by, now
        link = LinkRow(id, *row)
        await self._stored.insert(link)
        self._links[id] = link
        self._on_event(
            DvrLinkMade(
                media=stream,
                link=id,
                begin_ms=span.begin_ms,
                duration_ms=span.duration_ms,
                formats=formats,
                expires_at=expires_ms,
                max_uses=max_uses,
                author=created_by,
            )
        )
        return link

    async def revoke(self, stream: str, id: str, by: str) -> LinkRow:
        """From now on it opens nothing. `by`: whose wish that is. DvrError NOT_FOUND."""
        link = self._links.get(id)
        if link is None or link.stream != stream or link.revoked:
            raise DvrError(Kind.NOT_FOUND, "link_not_found", "there is no such link", {"parameter": "id"})
        link.revoked = True
        try:
            await self._stored.revoke(id)
        except DvrError:
            link.revoked = False
            raise
        self._on_event(DvrLinkRevoked(media=stream, link=id, uses=link.uses, author=by))
        return link

    async def use(self, link: LinkRow, viewer: bytes, count: bool = True) -> bool:
        """
        Whether this viewer (16 bytes or so) may use it: counted before, or one who is counted now. Without `count`:
        whether they could be.
        """
        key = link.id, viewer
        if key in self._viewers:
            return True
        if not count and (link.max_uses is None or link.uses < link.max_uses):
            return True
        if link.max_uses is None:
            link.uses += 1
            self._write(link)
        else:
            uses = await self._stored.use(link.id, viewer)
            if uses is None:
                return False
            link.uses = max(link.uses, uses)
        self._viewers.put(key, True, 1)
        return True

    def _write(self, link: LinkRow) -> None:
        self._unwritten.add(link.id)
        if not self._writing:
            self._writing = True
            Deferred.fromCoroutine(self._write_all()).addErrback(
                lambda failure: self.log.failure("counting the uses of links", failure)
            )

    async def _write_all(self) -> None:
        """One write at a time, whatever comes meanwhile waits for the next."""
        try:
            while self._unwritten:
                ids, self._unwritten = self._unwritten, set()
                await self._stored.store_uses([(id, self._links[id].uses) for id in ids if id in self._links])
        finally:
            self._writing = False

    async def _forget(self) -> None:
        if not self._trusts_clock():
            return  # what a wrong clock says is over must not be gone when it is right again
        over = [id for id, link in self._links.items() if link.expires_ms + REMEMBERED_MS < self.now_ms()]
        if over:
            await self._stored.delete(over)
            for id in over:
                self._links.pop(id, None)

    def _sign(self, id: bytes, stream: str) -> str:
        mac = hmac.digest(self._key, id + stream.encode("utf-8", "surrogatepass"), "sha256")
        return urlsafe_b64encode(id + mac[:MAC]).decode("ascii")


def _read(token: str) -> bytes | None:
    """The id in a token; `None` for what cannot be one."""
    if len(token) != TOKEN or not token.isascii():
        return None
    try:
        return urlsafe_b64decode(token)[:ID]
    except (Base64Error, ValueError):
        return None


def grant_key(id: str) -> str:
    """What the sessions of a link have in common."""
    return f"link {id}"
