"""
A fragment that has just been made: its bytes as they are recorded and sent, and when it shows.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveFragment:
    """
    One `moof` + `mdat`, all tracks.

    `data` is the whole of it, `head_size` what of it is not samples (the `moof` and the `mdat` header);
    `[begin_ms, end_ms)` is UTC presentation time; `sync`: playback may begin here.
    """

    data: bytes
    head_size: int
    begin_ms: int
    end_ms: int
    sync: bool
