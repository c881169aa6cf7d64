# -*- test-case-name: tests.playback.hls.test_windows -*-
"""
Parts of a list: pieces of blocks, cut by number and by time.
"""

from __future__ import annotations

from collections.abc import Sequence

from flussdvr.playback.hls.playlist import Column, Piece


def bounds(piece: Piece) -> tuple[Column, Column]:
    """The begins and ends of its segments, UTC ms."""
    return piece.block.begin_ms[piece.first : piece.stop], piece.block.end_ms[piece.first : piece.stop]


def count_of(pieces: Sequence[Piece]) -> int:
    """How many segments."""
    return sum(piece.stop - piece.first for piece in pieces)


def begun_at(pieces: Sequence[Piece], edge_ms: int) -> list[Piece]:
    """Without the segments that begin after `edge_ms`."""
    return first_of(pieces, sum(int((bounds(piece)[0] <= edge_ms).sum()) for piece in pieces))


def ending_after(pieces: Sequence[Piece], begin_ms: int) -> list[Piece]:
    """Without the segments that are over at `begin_ms`."""
    return last_of(pieces, sum(int((bounds(piece)[1] > begin_ms).sum()) for piece in pieces))


def wanted_ms(target_ms: int) -> int:
    """Three target durations, as a list says them: what one that slides has at least (RFC 8216 section 6.2.2)."""
    return 3 * -(-target_ms // 1000) * 1000


def enough_of(pieces: Sequence[Piece], target_ms: int) -> int:
    """How many of the last segments are three target durations; all if they are less."""
    wanted, count = wanted_ms(target_ms), 0
    for piece in reversed(pieces):
        begins, ends = bounds(piece)
        for duration in (ends - begins)[::-1].tolist():
            if wanted <= 0:
                return count
            wanted -= duration
            count += 1
    return count


def last_of(pieces: Sequence[Piece], count: int) -> list[Piece]:
    """The last `count` segments."""
    result: list[Piece] = []
    for piece in reversed(pieces):
        if count <= 0:
            break
        first = max(piece.first, piece.stop - count)
        result.insert(0, Piece(piece.block, first, piece.stop, piece.discontinuity and first == piece.first))
        count -= piece.stop - first
    return result


def first_of(pieces: Sequence[Piece], count: int) -> list[Piece]:
    """The first `count` segments."""
    result: list[Piece] = []
    for piece in pieces:
        if count <= 0:
            break
        stop = min(piece.stop, piece.first + count)
        result.append(Piece(piece.block, piece.first, stop, piece.discontinuity))
        count -= stop - piece.first
    return result
