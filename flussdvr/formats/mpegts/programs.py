"""
Which program of a transport stream is taken, and why none is.

    PAT --listed--> programs --PMT--> map --a PES packet on one of its PIDs--> lives --> chosen
     none in time: PMTs are looked for on all PIDs

A program that was asked for is taken as soon as its map is there, and so is the only one of a PAT. Of several, the
first that lives is taken; one behind it only when `WAIT` of media has passed without the first. Once chosen it stays
chosen while the PAT lists it: an interruption must not put another channel into the recording.

ISO/IEC 13818-1 §2.4.4.  Pure; time is that of the PES packets that pass.
"""

from __future__ import annotations

from collections.abc import Sequence

from flussdvr.formats.mpegts.packet import TICKS
from flussdvr.formats.mpegts.pes import WRAP
from flussdvr.formats.mpegts.psi import ElementaryStream, ProgramMap
from flussdvr.media import LeftOut

Program = tuple[int, int]
"""(program_number, PID of its PMT)"""

WAIT = 3 * TICKS // 2
"""A PAT and a PMT come each half second at least (ETSI TR 101 290 §5.2.1): three of each did not."""
PROGRAMS_MAX = 64
CLOCKS_MAX = 64
SHOWN_MAX = 20
"""Programs that are listed in a sentence."""


class Programs:
    """
    What is known of the programs, and the one that is taken.

    `wanted`: the program_number that was asked for. `preferred`: the one that the source had before, which is waited
    for though others live.
    """

    def __init__(self, wanted: int | None = None, preferred: int | None = None) -> None:
        self.wanted = wanted
        self.preferred = preferred
        self.listed: tuple[Program, ...] = ()
        """Of the PAT, in its order."""
        self.maps: dict[Program, ProgramMap] = {}
        self.chosen: Program | None = None
        self._living: set[Program] = set()
        self._begins: dict[int, int] = {}
        self.elapsed = 0
        """Of the media's time, since it is looked for programs; in ticks of 90 kHz."""

    @property
    def looking(self) -> bool:
        """Whether PMTs are to be looked for on all PIDs."""
        return self.chosen is None

    # -- what comes in ----------------------------------------------------------------------------------------

    def pat_received(self, programs: Sequence[Program]) -> None:
        if not programs:
            return  # a PAT of a network alone, or a damaged multiplexer
        self.listed = tuple(programs[:PROGRAMS_MAX])
        if self.chosen is not None and self.chosen not in self.listed:
            moved = next((entry for entry in self.listed if entry[0] == self.chosen[0]), None)
            if moved is None and self.wanted is not None:
                return  # what was asked for is gone from the list, and nothing else is wanted
            self.preferred = self.chosen[0] if moved is not None else None
            self._begin_anew()

    def map_received(self, program: Program, pmt: ProgramMap) -> None:
        if program in self.maps or len(self.maps) < PROGRAMS_MAX:
            self.maps[program] = pmt

    def pes_began(self, pid: int, pts: int | None) -> None:
        """A PES packet that is not scrambled begins on a PID."""
        for program, pmt in self.maps.items():
            if any(entry.pid == pid for entry in recordable(pmt)):
                self._living.add(program)
        if pts is None:
            return
        begin = self._begins.setdefault(pid, pts) if len(self._begins) < CLOCKS_MAX else self._begins.get(pid, pts)
        elapsed = (pts - begin) & (WRAP - 1)
        if elapsed < WRAP >> 1:
            self.elapsed = max(self.elapsed, elapsed)

    def ended(self) -> None:
        """Nothing more comes: nothing is waited for."""
        self.elapsed = max(self.elapsed, WAIT)

    def _begin_anew(self) -> None:
        self.chosen = None
        self.maps = {}
        self._living = set()
        self._begins = {}
        self.elapsed = 0

    # -- what comes of it -------------------------------------------------------------------------------------

    def choose(self) -> Program | None:
        """The program to take, if that is known now."""
        if self.chosen is None:
            self.chosen = self._choice()
        return self.chosen

    def _choice(self) -> Program | None:
        for number in (self.wanted, self.preferred):
            asked = next((one for one in self._in_order() if one[0] == number), None)
            if asked is not None and asked in self.maps:
                return asked
        if self.wanted is not None:
            return None
        if len(self.listed) == 1 and self.listed[0] in self.maps and self._can_live(self.listed[0]):
            return self.listed[0]
        if any(entry[0] == self.preferred for entry in self.listed):
            return None
        for program in self._in_order():
            if program in self._living:
                return program
            if self._can_live(program) and self.elapsed < WAIT:
                return None  # it has a little more time, and stands before the others
        return None

    def _in_order(self) -> list[Program]:
        """Those of the PAT; those that were found by looking only when the PAT leads nowhere for too long."""
        if self.elapsed < WAIT:
            return list(self.listed)
        return [*self.listed, *(program for program in self.maps if program not in self.listed)]

    def _can_live(self, program: Program) -> bool:
        pmt = self.maps.get(program)
        return pmt is None or bool(recordable(pmt))

    # -- what is said about it --------------------------------------------------------------------------------

    def left_out(self) -> list[LeftOut]:
        """Programs that were to be taken and are not."""
        if self.wanted is not None and self.listed and all(number != self.wanted for number, _ in self.listed):
            if self.chosen is None:
                return [LeftOut(f"program {self.wanted}", f"there is none of that number; {self._shown()}")]
        if self.chosen is None or self.wanted is not None:
            return []
        if self.chosen not in self.listed:
            return []
        before = self.listed[: self.listed.index(self.chosen)]
        taken = f"program {self.chosen[0]} is taken instead, program=N chooses"
        return [LeftOut(f"program {one[0]}", f"{self._why_not(one)}; {taken}", self._can_live(one)) for one in before]

    def complaint(self) -> str | None:
        """Why no program is taken, in a clause; `None` when one is."""
        if self.chosen is not None:
            return None
        if not self.listed:
            return "it has neither a PAT nor a PMT" if not self.maps else "it has no PAT, and nothing comes for its PMT"
        if self.wanted is not None:
            program = next((one for one in self.listed if one[0] == self.wanted), None)
            if program is None:
                return f"there is no program {self.wanted}; {self._shown()}"
            return f"program {self.wanted}: {self._why_not(program)}"
        return "; ".join(f"program {one[0]}: {self._why_not(one)}" for one in self.listed[:SHOWN_MAX])

    def _why_not(self, program: Program) -> str:
        if program not in self.maps:
            return f"its PMT does not come on PID {program[1]}"
        pmt = self.maps[program]
        if not recordable(pmt):
            found = ", ".join(f"{entry.name[0]} on PID {entry.pid}" for entry in pmt.streams[:SHOWN_MAX])
            return "it has nothing that can be recorded" + (f", only {found}" if found else "")
        return "nothing comes on its PIDs"

    def _shown(self) -> str:
        numbers = ", ".join(str(number) for number, _ in self.listed[:SHOWN_MAX])
        more = ", ..." if len(self.listed) > SHOWN_MAX else ""
        return f"there is program {numbers}" if len(self.listed) == 1 else f"there are programs {numbers}{more}"


def recordable(pmt: ProgramMap) -> list[ElementaryStream]:
    """What of a program can be recorded."""
    return [entry for entry in pmt.streams if entry.framing is not None]
