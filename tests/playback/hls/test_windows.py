"""Live lists keep the rules of HLS from reload to reload, whatever a source does."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.live.fragment import LiveFragment
from flussdvr.live.window import Deleted, LiveWindow
from flussdvr.playback.hls.blocks import Blocks
from flussdvr.playback.hls.discontinuities import Discontinuities
from flussdvr.playback.hls.windows import Hls
from flussdvr.playback.inits import Inits
from flussdvr.playback.sources import Source
from flussdvr.playback.view import View
from flussdvr.threads import InlineWorker
from flussdvr.timeline import Range
from tests.playback.hls_rules import Watch
from tests.playback.test_cursor import result

BEGIN = 1_795_194_000_000


@dataclass
class Live:
    window: LiveWindow
    name: str = "cam"
    opened_at_ms: int = 0


def lists() -> Hls:
    worker = InlineWorker()
    return Hls(Blocks(Inits(), worker), Discontinuities(), lambda: BEGIN)


def seen(hls: Hls, live: Live, watch: Watch) -> None:
    watch.see(result(hls.live(Source("cam", live, None), View("ts"))).render().decode())


# What comes: fragments of a length, with or without a key frame; gaps of a length; another set of tracks; somebody
# deletes something so long ago, with or without what it touches.
arrivals = st.lists(
    st.one_of(
        st.tuples(st.just("fragment"), st.integers(1, 2500), st.booleans()),
        st.tuples(st.just("gap"), st.integers(0, 60_000), st.just(True)),
        st.tuples(st.just("tracks"), st.integers(0, 3), st.just(True)),
        st.tuples(st.just("delete"), st.integers(1, 9000), st.booleans()),
    ),
    min_size=20,
    max_size=80,
)


@given(arrivals)
@settings(deadline=None)
def test_every_reload_keeps_the_rules(events: list[tuple[str, int, bool]]) -> None:
    live, hls, watch = Live(LiveWindow(2000, 3)), lists(), Watch()
    live.window.open(b"0", ())
    at = BEGIN
    for what, number, sync in events:
        if what == "fragment":
            item = LiveFragment(b"", 0, at, at + number, sync)
            live.window.append(item, live.window.begins_segment(item))
            at += number
        elif what == "gap":
            live.window.gap("source_lost")
            at += number
        elif what == "delete":
            deleted = Deleted((Range(at - number, at - number // 3),), sync)
            live.window.delete(deleted)
            assert not any(map(deleted.takes_some, live.window.segments))
        else:
            live.window.open(b"%d" % number, ())
        if live.window.segments:
            seen(hls, live, watch)


def test_what_is_deleted_is_listed_as_missing_and_moves_nothing() -> None:
    live, hls, watch = Live(LiveWindow(1000, 4)), lists(), Watch()
    live.window.open(b"", ())
    for number in range(12):
        at = BEGIN + number * 1000
        live.window.append(LiveFragment(b"x", 0, at, at + 1000, True), True)
        if number == 6:
            before = result(hls.live(Source("cam", live, None), View("ts"))).render().decode()
            live.window.delete(Deleted((Range(BEGIN + 3000, BEGIN + 5000),)))
            after = result(hls.live(Source("cam", live, None), View("ts"))).render().decode()
            assert before.count("#EXT-X-GAP") == 0 and after.count("#EXT-X-GAP\n#EXTINF") == 2
            assert "#EXT-X-DISCONTINUITY" not in after
            listed = [line for line in after.splitlines() if line.endswith(".ts") or line == "#EXT-X-GAP"]
            assert [line == "#EXT-X-GAP" for line in listed] == [False, True, False, True, False, False]
            assert [line for line in listed if line != "#EXT-X-GAP"] == [
                line for line in before.splitlines() if line.endswith(".ts")
            ]
        if live.window.segments:
            seen(hls, live, watch)
    text = result(hls.live(Source("cam", live, None), View("ts"))).render().decode()
    assert "EXT-X-GAP" not in text and watch.last is not None and watch.last.sequence == BEGIN // 1000 + 7


def test_short_pieces_are_listed_until_there_are_three_target_durations() -> None:
    live, hls, watch = Live(LiveWindow(5000, 3)), lists(), Watch()
    live.window.open(b"", ())
    for number in range(100):
        at = BEGIN + number * 3000
        live.window.append(LiveFragment(b"", 0, at, at + 1000, True), True)
        live.window.gap("source_lost")
        seen(hls, live, watch)
    assert watch.last is not None
    assert watch.last.duration_ms == 15_000 and len(watch.last.segments) == 15
    assert watch.last.discontinuity_sequence == 100 - 15 - 1, "the first one has none in front"


def test_the_tag_stays_as_long_as_its_segment() -> None:
    live, hls, watch = Live(LiveWindow(1000, 3)), lists(), Watch()
    live.window.open(b"", ())
    numbers = []
    for number in range(8):
        if number == 2:
            live.window.gap("source_lost")
        at = BEGIN + number * 1000 + 5000 * (number >= 2)
        live.window.append(LiveFragment(b"", 0, at, at + 1000, True), True)
        if live.window.segments:
            seen(hls, live, watch)
            assert watch.last is not None
            numbers.append((watch.last.discontinuity_sequence, [one.tagged for one in watch.last.segments]))
    assert numbers[-4:-1] == [(0, [False, True, False]), (0, [True, False, False]), (1, [False, False, False])]


def test_a_list_says_the_longest_and_the_fastest_that_it_ever_had() -> None:
    window = LiveWindow(1000, 3)
    window.open(b"", ())
    for number, (length, size) in enumerate([(1000, 10), (2500, 100), (1000, 1000), (1000, 10), *[(1000, 10)] * 9]):
        at = BEGIN + number * 10_000
        window.append(LiveFragment(bytes(size), 0, at, at + length, True), True)
        window.gap("source_lost")
    assert window.target_ms == 2500
    assert window.peak_bps == 8000
    assert all(segment.size == 10 for segment in window.segments)
