"""What somebody has deleted is forgotten by the live window at once; the numbers of its list stay."""

from __future__ import annotations

import pytest

from flussdvr.live.window import Deleted, LiveWindow, News
from flussdvr.timeline import Range
from tests.live.test_window import INIT, START_MS, fragment, play, window


def seconds(begin: float, end: float) -> Range:
    return Range(START_MS + int(begin * 1000), START_MS + int(end * 1000))


def seen(made: LiveWindow) -> list[tuple[int, int, bool, int]]:
    """Of each listed segment: its number, when it begins (s), whether it is deleted, bytes in RAM."""
    first = START_MS // 1000
    return [(s.sequence - first, (s.begin_ms - START_MS) // 1000, s.deleted, len(s.data)) for s in made.segments]


def test_a_segment_of_which_a_part_is_deleted_keeps_only_its_place() -> None:
    made = window()
    play(made, range(9))
    assert seen(made) == [(1, 2, False, 20), (2, 4, False, 20), (3, 6, False, 20)]
    made.delete(Deleted((seconds(4, 5),)))
    assert seen(made) == [(1, 2, False, 20), (2, 4, True, 0), (3, 6, False, 20)]
    assert made.find(START_MS + 4000) is None and made.find(START_MS + 6000) is not None
    assert made.size == 2 * 20 + 10
    play(made, range(9, 11))
    assert seen(made) == [(2, 4, True, 0), (3, 6, False, 20), (4, 8, False, 20)]
    assert not any(segment.discontinuity for segment in made.segments)


@pytest.mark.parametrize(
    ("span", "touching", "gone"),
    [
        (seconds(4.5, 5.9), False, False),  # no fragment lies in it
        (seconds(4.5, 5.9), True, True),
        (seconds(4, 4), True, False),
        (seconds(6, 8), True, False),  # the next segment
        (seconds(5, 6), False, True),
    ],
)
def test_the_same_fragments_go_as_in_the_archive(span: Range, touching: bool, gone: bool) -> None:
    made = window()
    play(made, range(9))
    made.delete(Deleted((span,), touching))
    assert made.segments[1].deleted is gone and bool(made.segments[1].fragments) is not gone
    assert not made.segments[0].deleted


def test_what_is_growing_goes_too_and_what_follows_it_is_not_kept() -> None:
    made, told = window(), list[News]()
    made.subscribe(told.append)
    play(made, range(4), gop=4)
    assert made.growing is not None
    deleted = Deleted((seconds(1, 3),))
    made.delete(deleted)
    assert told[-1] is deleted and made.growing.fragments == [] and made.size == 0
    after = fragment(4, sync=False)
    made.append(after, False)
    assert told[-1] is after, "it is not deleted: who watches sees it"
    assert made.size == 0
    play(made, range(5, 9), gop=2)
    assert seen(made)[:2] == [(0, 0, True, 0), (1, 5, False, 20)]


def test_what_has_left_the_list_is_not_found_either() -> None:
    made = window(kept=2)
    play(made, range(12))
    assert made.find(START_MS + 2000) is not None
    made.delete(Deleted((seconds(0, 3),)))
    assert made.find(START_MS + 2000) is None and not any(segment.deleted for segment in made.segments)


def test_what_is_left_to_the_archive_is_missing_once_it_is_gone_there() -> None:
    made, archived = window(), [seconds(0, 100)]
    made.is_recorded = lambda item: any(one.begin_ms <= item.begin_ms and item.end_ms <= one.end_ms for one in archived)
    play(made, range(9))
    assert seen(made)[0] == (1, 2, False, 0), "its bytes are in the archive only"
    deleted = Deleted((seconds(2, 3),))
    made.delete(deleted)
    assert not made.segments[0].deleted, "the archive still has it"
    archived[:] = [seconds(0, 2), seconds(3, 100)]
    made.delete(Deleted((seconds(50, 60),)))
    assert not made.segments[0].deleted, "this is about something else"
    made.delete(deleted)
    assert made.segments[0].deleted


def test_discontinuities_stay_where_they_are() -> None:
    made = window()
    play(made, range(4))
    made.gap("source_lost")
    play(made, range(10, 16))
    assert [s.discontinuity for s in made.segments] == [False, True, False]
    made.delete(Deleted((seconds(0, 14),)))
    assert [(s.discontinuity, s.deleted) for s in made.segments] == [(False, True), (True, True), (False, True)]
    play(made, range(16, 20))
    assert made.discontinuity_sequence == 1 and [s.deleted for s in made.segments] == [True, False, False]
    assert made.init == INIT
