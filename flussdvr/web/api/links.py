"""
/streams/{name}/dvr/links: URLs that let whoever has one see a span of a stream (`flussdvr.access.links`).

Who may only look sees the links, but nothing that opens them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flussdvr.access.admission import Admission
from flussdvr.access.links import FORMATS, PARAMETER, Links, grant_key
from flussdvr.database.rows import LinkRow
from flussdvr.errors import DvrError, Kind
from flussdvr.timeline import MILLISECOND_DIGITS
from flussdvr.urls.values import spell
from flussdvr.web.api.moments import window
from flussdvr.web.api.router import Call, Router
from flussdvr.web.api.streams import StreamDocuments

Document = dict[str, Any]
EXPIRES_IN_S = 7 * 86_400
LONGEST_S = 10 * 366 * 86_400


def add_links(router: Router, links: Links, streams: StreamDocuments, viewers: Admission) -> None:
    @router.get("/streams/<path:name>/dvr/links")
    async def list_links(call: Call, name: str) -> Document:
        streams.one(name, False)
        return {"links": [_document(link, links.token(link) if call.secrets else None) for link in links.of(name)]}

    @router.post("/streams/<path:name>/dvr/links")
    async def make_link(call: Call, name: str) -> Document:
        streams.one(name, False)
        body = call.body
        formats = tuple(one for one in FORMATS if one in body.get("formats", FORMATS))
        expires_ms = _expires_ms(body, links.now_ms())
        title = _title(body.get("title"))
        span, by = window(call), call.account.name
        link = await links.make(name, span, formats, expires_ms, body.get("max_uses"), title, by)
        return _document(link, links.token(link))

    @router.delete("/streams/<path:name>/dvr/links/<id>")
    async def revoke_link(call: Call, name: str, id: str) -> None:
        link = await links.revoke(name, id, call.account.name)
        viewers.withdraw(grant_key(link.id))


def _expires_ms(body: Document, now_ms: int) -> int:
    given: float | None = body.get("expires_at")
    if given is None:
        expires_in_s: float = body.get("expires_in", EXPIRES_IN_S)
        return now_ms + round(expires_in_s * 1000)
    if "expires_in" in body:
        raise _bad("expires_in", "one of expires_at and expires_in is enough")
    expires_ms = round(given if given >= 10 ** (MILLISECOND_DIGITS - 1) else given * 1000)
    if not now_ms < expires_ms <= now_ms + LONGEST_S * 1000:
        raise _bad("expires_at", "expected a time in the next ten years")
    return expires_ms


def _title(given: str | None) -> str | None:
    try:
        (given or "").encode()
    except UnicodeError:
        raise _bad("title", "this is no text") from None
    return given or None


def _bad(field: str, title: str) -> DvrError:
    return DvrError(Kind.BAD_REQUEST, "invalid_value", f"{field}: {title}", {"pointer": f"/{field}"})


def _document(link: LinkRow, token: str | None) -> Document:
    return {
        "id": link.id,
        "stream": link.stream,
        "from": _seconds(link.begin_ms),
        "duration": _seconds(link.end_ms - link.begin_ms),
        "formats": list(link.formats),
        "expires_at": _seconds(link.expires_ms),
        "max_uses": link.max_uses,
        "uses": link.uses,
        "title": link.title,
        "created_by": link.created_by,
        "created_at": _seconds(link.created_ms),
        "urls": _urls(link, token),
    }


def _urls(link: LinkRow, token: str | None) -> dict[str, str]:
    span = f"{spell(link.begin_ms)}-{spell(link.end_ms - link.begin_ms)}"
    commands = {
        "mp4": f"archive-{span}.mp4",
        "hls": f"index-{span}.m3u8",
        "ts": f"archive-{span}.ts",
        "jpg": f"{spell(link.begin_ms)}-preview.jpg",
    }
    query = f"?{PARAMETER}={token}" if token is not None else ""
    return {one: f"/{quote(link.stream, safe='/')}/{commands[one]}{query}" for one in link.formats}


def _seconds(ms: int) -> float:
    """A whole number where it is one."""
    return ms / 1000 if ms % 1000 else ms // 1000
