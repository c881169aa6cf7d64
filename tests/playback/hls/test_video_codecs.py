"""Which recordings a list shows where the codec of the pictures changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import DvrError
from flussdvr.media import Codec, Track
from flussdvr.playback.hls.playlist import Piece, render_block
from flussdvr.playback.hls.video_codecs import newest_run, run_at, runs, shown_codecs, with_codec

BEGIN = 1_795_194_000_000
SEGMENT = 2000
SOUND = Track(2, Codec.AAC, 48000, b"\x11\x90", channels=2, sample_rate=48000)
CODECS = {"a": Codec.H264, "b": Codec.H265, "r": None}


def pieces_of(text: str) -> list[Piece]:
    """A segment for each letter, a block for each run of equal ones: `a` H.264, `b` H.265, `r` sound alone."""
    made: list[Piece] = []
    at = 0
    while at < len(text):
        count = len(text[at:]) - len(text[at:].lstrip(text[at]))
        codec = CODECS[text[at]]
        tracks = (Track(1, codec, 90000), SOUND) if codec else (SOUND,)
        begin = BEGIN + np.arange(at, at + count) * SEGMENT
        block = render_block(at, begin, begin + SEGMENT, begin, "m4s", "init", tracks=tracks)
        made.append(Piece(block, 0, count, bool(made)))
        at += count
    return made


def places(pieces: list[Piece]) -> list[int]:
    return [number for piece in pieces for number in range(piece.sequence, piece.sequence + piece.stop - piece.first)]


@pytest.mark.parametrize(
    ("text", "codec", "expected"),
    [
        ("aaa", None, [0, 1, 2]),
        ("abba", None, [0, 3]),
        ("abba", Codec.H265, [1, 2]),
        ("barb", None, [0, 2, 3]),
        ("rrab", None, [0, 1, 2]),
        ("rr", None, [0, 1]),
        ("", None, []),
    ],
)
def test_a_list_that_ends_leaves_the_others_out(text: str, codec: Codec | None, expected: list[int]) -> None:
    assert places(with_codec(pieces_of(text), codec)) == expected


def test_what_follows_a_hole_does_not_continue() -> None:
    first, _, last = pieces_of("aba")
    kept = with_codec([first, pieces_of("aba")[1], Piece(last.block, 0, 1, False)], None)
    assert [piece.discontinuity for piece in kept] == [False, True]


def test_a_codec_that_is_not_there() -> None:
    for text in ("aa", "rr"):
        with pytest.raises(DvrError) as caught:
            with_codec(pieces_of(text), Codec.H265)
        assert caught.value.code == "no_such_tracks"
    with pytest.raises(DvrError):
        newest_run(pieces_of("aa"), Codec.AV1, SEGMENT)
    with pytest.raises(DvrError):
        run_at(pieces_of("aa"), Codec.AV1, BEGIN)


def test_codecs_in_the_order_in_which_they_come() -> None:
    assert shown_codecs(pieces_of("rbaab")) == [Codec.H265, Codec.H264]
    assert shown_codecs(pieces_of("r")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aaabb", [0, 1, 2]),
        ("aaabbb", [3, 4, 5]),
        ("aabba", [0, 1]),
        ("aaabaaa", [4, 5, 6]),
        ("rrbbb", [2, 3, 4]),
        ("aarrbbb", [4, 5, 6]),
        ("a", [0]),
        ("", []),
    ],
)
def test_a_list_that_slides_shows_the_newest_run_that_is_a_list(text: str, expected: list[int]) -> None:
    assert places(newest_run(pieces_of(text), None, SEGMENT)) == expected


def test_the_newest_run_of_a_codec() -> None:
    assert places(newest_run(pieces_of("aaabbbaaabbb"), Codec.H264, SEGMENT)) == [6, 7, 8]


@given(st.text("abr", min_size=1, max_size=40), st.integers(1, 8))
def test_a_list_that_slides_never_goes_back(text: str, length: int) -> None:
    """It is always one run of one codec."""
    first = end = 0
    for stop in range(1, len(text) + 1):
        window = places(newest_run(_window(text, max(0, stop - length), stop), None, SEGMENT))
        assert window == list(range(window[0], window[-1] + 1))
        assert len({text[number] for number in window} - {"r"}) <= 1
        assert window[0] >= first and window[-1] >= end
        first, end = window[0], window[-1]


def _window(text: str, begin: int, stop: int) -> list[Piece]:
    """Of the pieces of `text`, what is in `[begin, stop)`."""
    made = []
    for piece in pieces_of(text):
        first, last = max(begin - piece.sequence, 0), min(stop - piece.sequence, piece.stop)
        if first < last:
            made.append(Piece(piece.block, first, last, piece.discontinuity and first == 0))
    return made


@given(st.text("abr", min_size=1, max_size=30), st.integers(0, 30))
def test_a_timeshift_shows_the_run_where_it_is(text: str, place: int) -> None:
    pieces = pieces_of(text)
    place = min(place, len(text) - 1)
    shown = places(run_at(pieces, None, BEGIN + place * SEGMENT))
    assert place in shown
    assert sorted(number for run in runs(pieces, None) for number in places(run)) == list(range(len(text)))
