"""Links at the gate: what they open and what not, for every kind of URL there is."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import urljoin

import pytest
from twisted.internet.defer import Deferred

from flussdvr.access.auth_request import KINDS
from flussdvr.access.grant import Grant
from flussdvr.access.links import FORMATS, Links, grant_key
from flussdvr.access.verdict import Reply
from flussdvr.config.model import AuthSettings, Config, StreamSettings
from flussdvr.database.rows import LinkRow
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from flussdvr.urls.paths import parse
from flussdvr.web.http.facts import Facts
from flussdvr.web.media.gate import ViewersGate
from flussdvr.web.media.link_passes import FORMAT, LinkPass, household_of, opens, program_of
from tests.playback.recordings import Recording, T
from tests.web.media.test_gate import FAMILIES, Guarded

S = T // 1000
V = TypeVar("V")
INSIDE = {
    "mp4": [f"archive-{S + 2}-4.mp4", f"archive-{S + 3.5}-2.5.mp4", f"archive-{T + 2000}-4.mp4?gaps=keep"],
    "ts": [f"archive-{S + 2}-4.ts", f"archive/{S + 3}/2/mpegts"],
    "hls": [
        *(f"index-{S + 2}-4.m3u8", f"mono-{S + 2}-4.m3u8", f"video-{S + 3}-1.m3u8", f"archive/{S + 2}/4/index.m3u8"),
        *(f"tracks-v1a1/mono-{S + 2}-4.m3u8", f"archive-{S + 2}-4.ts.m3u8", "init-0123456789abcdef.mp4"),
        *("2026/11/20/17/00/02.000-02000.m4s", "2026/11/20/17/00/04.000-02000.ts"),
        *("2026/11/20/17/00/01.000-02000.m4s", "2026/11/20/17/00/05.999-02000.m4s"),
    ],
    "jpg": [
        *(
            f"{S + 2}.jpg",
            f"{S + 5}-preview.jpg",
            f"{S + 2}-preview.mp4",
            f"{S + 5}.999.jpg",
            "2026/11/20/17/00/03.jpg",
        ),
        *(f"sprite-{S + 2}-4-4x4.jpg", f"sprite-{S + 2}-4-4x4.vtt", f"images-320x240/tpl-{S + 2}-4-5.m3u8"),
        f"images-320x240/seg-{S + 2}-3.hls.jpg",
    ],
}
"""Of a link to the seconds from 2 to 6, by what it has to open for that."""
OUTSIDE = [
    *(f"archive-{S + 1}-4.mp4", f"archive-{S + 3}-4.mp4", f"archive-{S + 1.999}-4.mp4", f"archive-{S + 2}-4.001.mp4"),
    *(f"archive-{S + 2}-now.mp4", f"archive-{S + 2}-now.ts", f"archive/{S + 2}/now/mpegts", f"archive-{S + 1}-9.ts"),
    *(f"index-{S + 2}-now.m3u8", f"index-{S}-8.m3u8", f"mono-{S + 6}-1.m3u8", f"archive/{S + 2}/now/index.m3u8"),
    *(f"mono.m3u8?utc={S + 2}", f"index.m3u8?utc={S + 2}&lutc={S + 5}", f"mpegts?utc={S + 2}"),
    *("2026/11/20/17/00/00.000-02000.m4s", "2026/11/20/17/00/06.000-02000.m4s", "2026/11/20/17/00/00.000-02000.ts"),
    *(f"{S + 1}.jpg", f"{S + 6}.jpg", f"{S + 1}.999.jpg", f"{S + 6}-preview.mp4", "2026/11/20/17/00/01.jpg"),
    *(f"sprite-{S + 1}-4-4x4.jpg", f"sprite-{S + 2}-5-4x4.vtt", f"images-320x240/tpl-{S + 2}-5-5.m3u8"),
    *(f"images-320x240/seg-{S + 2}-4.hls.jpg", "preview.jpg", "preview.mp4", "index.m3u8", "mono.m3u8", "mpegts"),
    *("rewind-7200.m3u8", f"timeshift_abs-{S + 2}.m3u8", f"timeshift_abs-{S + 2}.ts", f"{S + 2}.ts"),
    *(
        "timeshift_rel-3590.m3u8",
        "timeshift_rel-3590.ts",
        "recording_status.json",
        "ranges.json",
        "media_info.json",
        "info.json",
    ),
    f"recording_status.json?from={S + 2}&to={S + 6}",
]


def now(work: Awaitable[V]) -> V:
    async def wait() -> V:
        return await work

    done: list[V] = []
    Deferred.fromCoroutine(wait()).addCallback(done.append)
    return done[0]


class Linked(Guarded):
    """Nobody but who has a link is let in."""

    def __init__(self, recordings: list[Recording], live: bool = False) -> None:
        super().__init__(recordings, live)
        catalog = SqliteCatalog(":memory:", InlineWorker())
        now(catalog.open())
        self.links = Links(b"k" * 32, catalog.links, lambda: self.now_ms)
        streams: Any = self.streams
        self.gate = ViewersGate(
            *(lambda: self.config, streams, self.sessions, self.backend, self.clock, lambda: self.now_ms),
            passes=(LinkPass(self.links, b"v" * 32, lambda: self.config),),
        )
        self.media.admission = self.gate
        self.backend.reply = Reply(403, {})

    def link(self, *formats: str, max_uses: int | None = None, stream: str = "ort") -> LinkRow:
        """To the seconds from 2 to 6."""
        span, expires_ms = Range(T + 2000, T + 6000), self.now_ms + 100_000
        return now(self.links.make(stream, span, formats or FORMATS, expires_ms, max_uses, None, "admin"))

    def url(self, link: LinkRow, command: str) -> str:
        return f"/ort/{command}{'&' if '?' in command else '?'}link={self.links.token(link)}"

    def error(self, url: str, *headers: str, method: str = "GET") -> str | None:
        data = self.open(url, *headers, method=method).value()
        return self.get(url, *headers).json["error"] if data.startswith(b"HTTP/1.1 403") else None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Linked]:
    recording = Recording(tmp_path)
    recording.blob()
    yield Linked([recording])


def test_every_kind_of_url_is_known() -> None:
    tried = [url for urls in INSIDE.values() for url in urls] + OUTSIDE
    kinds = {type(parse(f"/ort/{url.partition('?')[0]}", url.partition("?")[2])) for url in tried}
    assert kinds == KINDS, "a new kind of URL: say whether a link opens it"
    assert set(FORMAT) < KINDS and set(FORMAT.values()) == set(FORMATS) == set(INSIDE)
    assert set(FAMILIES) == {kind.__name__ for kind in kinds}


@pytest.mark.parametrize(("format", "command"), [(one, url) for one, urls in INSIDE.items() for url in urls])
def test_inside_its_span(server: Linked, format: str, command: str) -> None:
    for method in ("GET", "HEAD"):
        assert server.error(server.url(server.link(), command), method=method) is None
        assert server.error(server.url(server.link(format), command), method=method) is None
    others = [one for one in FORMATS if one != format]
    assert server.error(server.url(server.link(*others), command)) == "link_not_for_this"
    assert not server.backend.asked


@pytest.mark.parametrize("command", OUTSIDE)
@pytest.mark.parametrize("live", [False, True])
def test_outside_of_it(tmp_path: Path, command: str, live: bool) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    server = Linked([recording], live)
    assert server.error(server.url(server.link(), command)) == "link_not_for_this"
    server.configure(None)
    assert server.error(server.url(server.link(), command)) == "link_not_for_this", "also where everybody may watch"
    assert not server.backend.asked


def test_hls_through_a_link_from_the_first_url_to_the_last(server: Linked) -> None:
    url = server.url(server.link("hls"), f"index-{S + 2}-4.m3u8")
    answer = server.get(url)
    assert answer.status == 200
    playlist_url = urljoin(url, answer.urls[0])
    playlist = server.get(playlist_url)
    inits = [line.split('"')[1] for line in playlist.text.splitlines() if line.startswith("#EXT-X-MAP")]
    assert len(playlist.urls) == 2 and len(inits) == 1
    for inner in (*inits, *playlist.urls):
        found = server.get(urljoin(playlist_url, inner))
        assert found.status == 200 and found.headers["cache-control"].startswith("private")
    assert len(server.sessions) == 1 and not server.backend.asked
    server.configure(None)
    public = server.get(urljoin(playlist_url, playlist.urls[0]).partition("?")[0])
    assert public.headers["cache-control"].startswith("public")


def test_a_file_through_a_link(server: Linked) -> None:
    url = server.url(server.link("mp4"), f"archive-{S + 2}-4.mp4")
    whole = server.get(url)
    assert whole.status == 200 and len(whole.body) > 1000
    assert server.get(url, "Range: bytes=10-19").body == whole.body[10:20]
    session = next(iter(server.sessions))
    assert (session.user_id or "").startswith("link ") and session.dvr and session.proto == "download"


def test_what_is_no_link_of_this_stream(server: Linked) -> None:
    command = f"archive-{S + 2}-4.mp4"
    link = server.link()
    good = server.url(link, command)
    swapped = good[:-1] + ("A" if good[-1] != "A" else "B")
    other = server.url(server.link(stream="other"), command)
    for url in (f"/ort/{command}?link=x", f"{good}x", swapped, other, f"/ort/{command}?link={link.id}"):
        assert server.error(url) == "link_not_valid"
        server.configure(None)
        assert server.status(url) == 200, "it closes nothing that is open to everybody"
        server.configure(AuthSettings("http://backend.example/"))
    assert not server.backend.asked
    assert server.error(f"/ort/{command}?link=") == "access_denied" and server.backend.asked


def test_where_tokens_have_the_same_name(server: Linked) -> None:
    server.configure(AuthSettings("http://backend.example/"), auth_token="link")
    command = f"archive-{S + 2}-4.mp4"
    server.backend.reply = lambda question: Reply(200 if question["token"] == "good" else 403, {})
    assert server.status(f"/ort/{command}?link=good") == 200
    assert server.error(f"/ort/{command}?link=bad") == "access_denied"
    assert server.status(server.url(server.link(), command)) == 200
    assert [question["token"] for question in server.backend.asked] == ["good", "bad"]


def test_it_expires(server: Linked) -> None:
    url = server.url(server.link(), f"archive-{S + 2}-4.mp4")
    server.advance(99.999)
    assert server.status(url) == 200
    server.advance(0.001)
    assert server.error(url) == "link_expired"
    server.configure(None)
    assert server.error(url) == "link_expired"


@pytest.mark.parametrize("max_uses", [None, 5])
def test_revoked_while_it_is_downloaded(server: Linked, max_uses: int | None) -> None:
    link = server.link("ts", max_uses=max_uses)
    url = server.url(link, f"archive-{S + 2}-4.ts")
    transport = server.open(url)
    assert transport.value().startswith(b"HTTP/1.1 200")
    now(server.links.revoke("ort", link.id, "admin"))
    assert server.gate.withdraw(grant_key(link.id)) == 1
    assert server.error(url) == "link_revoked" and len(server.sessions) == 0


def test_what_it_grants_ends_with_it_and_is_its_span(server: Linked) -> None:
    link = server.link()
    gate_pass = LinkPass(server.links, b"v" * 32, lambda: server.config)
    address = SimpleNamespace(host="192.0.2.1")
    request: Any = SimpleNamespace(
        method=b"GET", getHeader=lambda name: None, getClientAddress=lambda: address, facts=Facts()
    )
    token = server.links.token(link)
    grant = now(gate_pass.grant(request, parse(f"/ort/archive-{S + 2}-4.ts", f"link={token}")))
    span = (T + 2000, T + 6000)
    assert grant == Grant(grant_key(link.id), f"link {link.id}", link.expires_ms, (span,))
    server.get(server.url(link, f"{S + 2}.jpg"))
    held = next(iter(server.sessions)).archive
    assert held is not None and held.verdict.spans == (span,), "a picture from near the moment is not from outside"


VLC, MPV = "User-Agent: VLC/3.0", "User-Agent: mpv/0.40"


def test_one_viewer_is_one_use_whatever_he_does(server: Linked) -> None:
    link = server.link(max_uses=1)
    file, playlist = (server.url(link, command) for command in (f"archive-{S + 2}-4.mp4", f"mono-{S + 2}-4.m3u8"))
    assert server.get(file, MPV, method="HEAD").status == 200 and link.uses == 0
    assert server.get(file, VLC, method="HEAD").status == 200
    for begin in range(8):
        assert server.get(file, VLC, f"Range: bytes={begin}-").status == 206
    assert server.status(playlist, VLC) == 200
    server.advance(90)
    assert server.status(file, VLC) == 200 and link.uses == 1, "they come back, long after their session has ended"
    for method in ("GET", "HEAD"):
        assert server.error(file, MPV, method=method) == "link_used_up"
    server.configure(None)
    assert server.error(file, MPV) == "link_used_up"
    assert server.status(file, VLC) == 200


def test_what_is_refused_is_no_use(server: Linked) -> None:
    link = server.link("mp4", max_uses=1)
    for command in ("index.m3u8", f"archive-{S}-8.mp4", f"mono-{S + 2}-4.m3u8"):
        assert server.error(server.url(link, command), VLC) == "link_not_for_this"
    assert link.uses == 0


def test_another_address_is_another_viewer(server: Linked) -> None:
    server.config = Config(
        streams={"ort": StreamSettings("ort", on_play=AuthSettings("http://x/"))},
        trusted_proxies=(ip_network("192.168.1.1/32"),),
    )
    url = server.url(server.link(max_uses=1), f"archive-{S + 2}-4.mp4")
    assert server.status(url, "X-Real-IP: 192.0.2.7") == 200
    assert server.error(url, "X-Real-IP: 192.0.2.8") == "link_used_up"
    assert server.status(url, "X-Real-IP: 192.0.2.7") == 200


def test_programs_and_addresses() -> None:
    safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Safari/604.1"
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
    core = "AppleCoreMedia/1.0.0.22B83 (iPhone; U; CPU OS 18_1 like Mac OS X; en_us)"
    assert program_of(safari) == program_of(core) != program_of(chrome) == chrome
    assert household_of("2001:db8::1:2:3:4") == household_of("2001:db8::9") != household_of("2001:db8:0:1::9")
    assert household_of("::ffff:192.0.2.1") == "192.0.2.1" == household_of("192.0.2.1")
    assert household_of("") == ""


def test_nothing_shows_the_token(server: Linked) -> None:
    link = server.link()
    url = server.url(link, f"archive-{S + 2}-4.mp4")
    server.get(url, f"Referer: http://server{url}")
    token = server.links.token(link)
    session = next(iter(server.sessions))
    assert token not in repr(server.events) and token not in repr(session.document(False))
    assert token in session.document(True)["query_string"]


def test_a_picture_near_the_moment_is_inside_too() -> None:
    link = LinkRow("0" * 16, "ort", T + 2500, T + 6000, FORMATS, T, None, 0, None, "admin", T)
    assert opens(link, parse(f"/ort/{S + 2}.jpg")), "some of this second is inside; which picture it has is checked"
    assert not opens(link, parse(f"/ort/{S + 2}.499.jpg"))
    assert opens(link, parse(f"/ort/{S + 2}.500.jpg"))
