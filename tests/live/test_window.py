from __future__ import annotations

from flussdvr.live.fragment import LiveFragment
from flussdvr.live.window import GROWING_BYTES, Gap, LiveWindow
from flussdvr.timeline import Range

START_MS = 1_795_194_000_000
INIT = b"init"


def fragment(at_s: int, sync: bool = True, size: int = 10) -> LiveFragment:
    begin_ms = START_MS + at_s * 1000
    return LiveFragment(bytes(size), 8, begin_ms, begin_ms + 1000, sync)


def window(kept: int = 0) -> LiveWindow:
    made = LiveWindow(2000, 3, kept)
    made.open(INIT, ())
    return made


def play(made: LiveWindow, seconds: range, gop: int = 1) -> None:
    for at_s in seconds:
        item = fragment(at_s, (at_s - seconds.start) % gop == 0)
        made.append(item, made.begins_segment(item))


def test_segments_begin_with_a_sync_fragment_after_their_time() -> None:
    made = window()
    play(made, range(12), gop=3)
    assert [(s.begin_ms - START_MS, s.end_ms - START_MS) for s in made.segments] == [
        (0, 3000),
        (3000, 6000),
        (6000, 9000),
    ]
    assert made.growing is not None and made.growing.begin_ms == START_MS + 9000
    assert all(s.complete for s in made.segments) and not made.growing.complete


def test_sequence_numbers_count_on_from_the_second_of_the_first_segment() -> None:
    made = window()
    play(made, range(20))
    first = START_MS // 1000
    assert [s.sequence for s in made.segments] == [first + 6, first + 7, first + 8]


def test_the_oldest_leave_and_take_their_discontinuity_along() -> None:
    made = window()
    play(made, range(4))
    made.gap("source_lost")
    play(made, range(10, 14))
    assert [s.discontinuity for s in made.segments] == [False, False, True]
    assert made.discontinuity_sequence == 0
    play(made, range(14, 24))
    assert not any(s.discontinuity for s in made.segments)
    assert made.discontinuity_sequence == 1


def test_a_segment_that_has_left_the_playlist_is_found_a_while_longer() -> None:
    recorded, unrecorded = window(), window(kept=2)
    for made in (recorded, unrecorded):
        play(made, range(12))
        assert len(made.segments) == 3
    assert recorded.find(START_MS + 2000) is None
    found = unrecorded.find(START_MS + 2000)
    assert found is not None and found.data == bytes(20)
    assert unrecorded.find(START_MS) is not None
    play(unrecorded, range(12, 14))
    assert unrecorded.find(START_MS) is None
    assert unrecorded.size == 2 * 20 + 3 * 20 + 20


def test_the_oldest_bytes_are_left_to_the_archive_once_it_has_them() -> None:
    made, asked = window(), list[Range]()

    def is_recorded(item: Range) -> bool:
        asked.append(item)
        return item.begin_ms != START_MS + 4000  # that one the disk has lost

    made.is_recorded = is_recorded
    play(made, range(9))
    assert [s.begin_ms - START_MS for s in made.segments] == [2000, 4000, 6000]
    assert asked[-1] == Range(START_MS + 2000, START_MS + 4000)
    assert made.find(START_MS + 2000) is None and made.find(START_MS + 4000) is not None
    assert made.size == 2 * 20 + 10
    play(made, range(9, 11))
    assert made.find(START_MS + 4000) is not None
    assert [s.size for s in made.segments] == [20, 20, 20]


def test_another_init_segment_is_a_discontinuity() -> None:
    made = window()
    play(made, range(4))
    made.open(b"other", ())
    play(made, range(4, 8))
    assert [(s.init, s.discontinuity) for s in made.segments] == [(INIT, False), (INIT, False), (b"other", True)]


def test_subscribers_hear_of_fragments_and_gaps_until_they_leave() -> None:
    made, heard = window(), list[object]()
    leave = made.subscribe(heard.append)
    play(made, range(2))
    made.gap("source_lost")
    made.gap("source_lost")  # still the same gap
    leave()
    leave()
    play(made, range(2, 4))
    assert [type(item).__name__ for item in heard] == ["LiveFragment", "LiveFragment", "Gap"]
    assert isinstance(heard[-1], Gap) and heard[-1].reason == "source_lost"


def test_a_segment_without_end_is_given_up() -> None:
    made = window()
    size = GROWING_BYTES // 4
    made.append(fragment(0, True, size), True)
    for at_s in range(1, 40):
        made.append(fragment(at_s, False, size), False)
        assert made.size <= GROWING_BYTES + size
    play(made, range(40, 46))
    assert made.segments[0].discontinuity


def test_after_a_gap_it_begins_with_a_sync_fragment() -> None:
    made = window()
    play(made, range(2))
    made.gap("source_lost")
    made.append(fragment(5, False), True)
    assert made.growing is None
    play(made, range(6, 9))
    assert made.segments[-1].begin_ms == START_MS + 6000
