"""Links: their tokens, who may use them, and what of that outlives the process."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail

from flussdvr.access.links import KEPT, REMEMBERED_MS, TOKEN, Links
from flussdvr.database.rows import LinkRow
from flussdvr.database.sqlite.catalog import SqliteCatalog
from flussdvr.errors import DvrError, Kind
from flussdvr.threads import InlineWorker, MemoryWorker
from flussdvr.timeline import Range
from tests.events.documents import documents

T = TypeVar("T")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
DAY_MS = 86_400_000


def now(work: Awaitable[T]) -> T:
    """What has been awaited, which must be there by now."""

    async def wait() -> T:
        return await work

    done: list[T] = []
    failed: list[Any] = []
    Deferred.fromCoroutine(wait()).addCallbacks(done.append, failed.append)
    if failed:
        failed[0].raiseException()
    return done[0]


class World:
    def __init__(self, key: bytes = b"k" * 32) -> None:
        self.now_ms = 1_795_194_000_000
        self.events: list[dict[str, Any]] = []
        self.catalog = SqliteCatalog(":memory:", InlineWorker())
        now(self.catalog.open())
        self.links = self.restarted(key)

    def restarted(self, key: bytes = b"k" * 32) -> Links:
        links = Links(key, self.catalog.links, lambda: self.now_ms, documents(self.events))
        now(links.load())
        return links

    def make(self, stream: str = "cam", max_uses: int | None = None, expires_ms: int | None = None) -> LinkRow:
        span = Range(1000, 5000)
        expires_ms = expires_ms or self.now_ms + DAY_MS
        return now(self.links.make(stream, span, ("mp4",), expires_ms, max_uses, None, "admin"))


@pytest.fixture
def world() -> World:
    return World()


WORLD = World()
LINK = WORLD.make()
GOOD = WORLD.links.token(LINK)


def test_a_token_finds_its_link(world: World) -> None:
    link = world.make("a/ü")
    token = world.links.token(link)
    assert len(token) == TOKEN == 32 and set(token) <= set(ALPHABET)
    assert world.links.find(token, "a/ü") is link
    assert world.links.find(token, "a") is None
    again = world.restarted()
    assert again.find(token, "a/ü") == link
    assert world.restarted(b"x" * 32).find(token, "a/ü") is None
    assert World().links.find(token, "a/ü") is None, "signed, and not in the catalog"


@given(st.integers(0, TOKEN - 1), st.sampled_from(ALPHABET))
def test_any_other_character_is_refused(at: int, char: str) -> None:
    other = GOOD[:at] + char + GOOD[at + 1 :]
    assert (WORLD.links.find(other, "cam") is LINK) == (other == GOOD)


@given(st.integers(0, TOKEN * 6 - 1))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    at, mask = bit // 6, 1 << bit % 6
    other = GOOD[:at] + ALPHABET[ALPHABET.index(GOOD[at]) ^ mask] + GOOD[at + 1 :]
    assert WORLD.links.find(other, "cam") is None


@given(st.text(max_size=40) | st.text(ALPHABET + "=+/ \n", min_size=TOKEN - 2, max_size=TOKEN + 4))
def test_nothing_else_is_a_token(text: str) -> None:
    assert WORLD.links.find(text, "cam") is None
    for other in (text + GOOD, GOOD + text, GOOD[:16] + text + GOOD[16:]):
        assert not text or WORLD.links.find(other, "cam") is None


def test_each_has_another_token(world: World) -> None:
    assert len({world.links.token(world.make()) for _ in range(100)}) == 100


def test_so_many_viewers_and_no_more(world: World) -> None:
    link = world.make(max_uses=2)
    use = world.links.use
    assert [now(use(link, viewer)) for viewer in (b"ann", b"ann", b"bob", b"eve", b"bob")] == [
        *(True, True, True, False, True)
    ]
    assert link.uses == 2
    again = world.restarted()
    link = again.of("cam")[0]
    assert (link.uses, link.max_uses) == (2, 2)
    assert [now(again.use(link, viewer)) for viewer in (b"eve", b"ann", b"bob")] == [False, True, True]
    assert link.uses == 2


def test_many_requests_at_once_of_a_viewer_are_one_use(world: World) -> None:
    link = world.make(max_uses=1)
    worker = world.catalog.thread.worker = MemoryWorker()
    answers = [Deferred.fromCoroutine(world.links.use(link, viewer)) for viewer in (b"ann", b"eve", *[b"ann"] * 8)]
    while worker.step():
        pass
    assert [now(answer) for answer in answers] == [True, False, *[True] * 8]
    assert link.uses == 1


def test_a_look_at_the_head_counts_nothing(world: World) -> None:
    link = world.make(max_uses=1)
    assert now(world.links.use(link, b"preview of a chat", count=False)) and link.uses == 0
    assert now(world.links.use(link, b"ann"))
    assert not now(world.links.use(link, b"preview of a chat", count=False))
    assert now(world.restarted().use(link, b"ann", count=False))


def test_without_a_limit_viewers_are_counted_when_there_is_time(world: World) -> None:
    link = world.make()
    worker = world.catalog.thread.worker = MemoryWorker()
    for number in range(100):
        assert now(world.links.use(link, b"%d" % (number % 50)))
    assert link.uses == 50
    steps = 0
    while worker.step():
        steps += 1
    assert steps == 2, "the first, and all that came meanwhile"
    world.catalog.thread.worker = InlineWorker()
    assert world.restarted().of("cam")[0].uses == 50


def test_a_catalog_that_fails_gives_no_use_away(world: World) -> None:
    limited, open_to_all = world.make(max_uses=5), world.make()
    now(world.catalog.close())
    with pytest.raises(DvrError, match="catalog_closed"):
        now(world.links.use(limited, b"ann"))
    with pytest.raises(DvrError, match="catalog_closed"):
        now(world.links.revoke("cam", limited.id, "admin"))
    assert not limited.revoked, "what was not kept does not seem to be"
    with pytest.raises(DvrError, match="catalog_closed"):
        world.make()
    assert now(world.links.use(open_to_all, b"ann"))


def test_revoked(world: World, event_schema: Any) -> None:
    link, other = world.make(max_uses=3), world.make()
    for stream, id in (("other", link.id), ("cam", "0" * 16), ("cam", "")):
        with pytest.raises(DvrError, match="link_not_found"):
            now(world.links.revoke(stream, id, "admin"))
    now(world.links.revoke("cam", link.id, "admin"))
    assert world.links.of("cam") == [other]
    assert [event["event"] for event in world.events] == ["dvr_link_made", "dvr_link_made", "dvr_link_revoked"]
    assert all(world.links.token(link) not in repr(event) for event in world.events)
    event_schema.check_own(world.events)
    told = world.events[-1]
    assert (told["media"], told["link"], told["author"]) == ("cam", link.id, "admin")
    again = world.restarted()
    found = again.find(again.token(link), "cam")
    assert found is not None and found.revoked
    with pytest.raises(DvrError, match="link_not_found"):
        now(again.revoke("cam", link.id, "admin"))


def test_one_that_is_long_over_is_forgotten(world: World) -> None:
    link = world.make()
    world.now_ms = link.expires_ms + REMEMBERED_MS
    world.make()
    assert link in world.links.of("cam")
    world.now_ms += 1
    assert link not in world.restarted().of("cam")
    world.make()
    assert link not in world.links.of("cam") and len(now(world.catalog.links.all())) == 2


def test_none_is_forgotten_because_of_a_clock_that_is_not_believed(world: World) -> None:
    link = world.make()
    world.links._trusts_clock = lambda: False
    world.now_ms = link.expires_ms + REMEMBERED_MS + DAY_MS
    world.make()
    assert link in world.links.of("cam") and len(now(world.catalog.links.all())) == 2


def test_there_is_an_end_to_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flussdvr.access.links.KEPT", 2)
    assert KEPT > 1000
    world.make()
    world.make()
    with pytest.raises(DvrError, match="too_many_links"):
        world.make()


def test_links_that_are_over_keep_nobody_from_starting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `state_dir` can't be written, they can't be deleted."""
    link = world.make()
    world.now_ms = link.expires_ms + REMEMBERED_MS + DAY_MS
    refused = DvrError(Kind.UNAVAILABLE, "state_not_writable", "")
    monkeypatch.setattr(world.catalog.links, "delete", lambda ids: fail(refused))
    assert world.restarted().of("cam") == [link]


def test_the_key_that_could_not_be_read_at_the_start(world: World) -> None:
    """What it signed holds again, what was signed in its place does not any more."""
    link = world.make()
    kept = world.links.token(link)
    links = world.restarted(b"p" * 32)
    passing = links.token(link)
    assert links.find(kept, "cam") is None and links.find(passing, "cam") is not None
    links.use_key(b"k" * 32)
    assert links.find(kept, "cam") == link and links.find(passing, "cam") is None
