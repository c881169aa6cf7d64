"""
A fragment that has just been made: its bytes as they are recorded and sent, and when it shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flussdvr.formats.mp4.fragment_table import FragmentTable


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
    _tables: dict[bytes, FragmentTable] = field(default_factory=dict, init=False, repr=False, compare=False)

    def table(self, init: bytes) -> FragmentTable:
        """
        Its samples, as one row of a table that begins with `init`; parsed once for all who ask, in any thread.

        Parsing takes 2 ms. Raises `FormatError`.
        """
        table = self._tables.get(init)
        if table is None:
            table = self._tables[init] = FragmentTable(init + self.data[: self.head_size])
        return table
