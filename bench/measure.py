"""Measuring: CPU seconds of a process tree, medians, and a table of the results."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
FOLDER = Path("var/bench")


@dataclass(frozen=True)
class Result:
    """`ours` and `theirs` in `unit`; `ratio` as the target states it; `reached` is the target's own verdict."""

    name: str
    unit: str
    ours: float
    theirs: float | None
    ratio: float | None
    target: str
    reached: bool
    against: str = ""

    def row(self) -> str:
        theirs = f"{self.theirs:.4g}" if self.theirs is not None else "-"
        ratio = f"{self.ratio:.2f}x" if self.ratio is not None else "-"
        mark = "yes" if self.reached else "NO"
        ours = f"{self.ours:.4g} {self.unit}"
        return f"| {' | '.join((self.name, self.against or '-', ours, theirs, ratio, self.target, mark))} |"

    def values(self) -> dict[str, object]:
        return asdict(self)


HEADER = "| what | against | ours | theirs | ratio | to reach | reached |\n|---|---|---|---|---|---|---|"


def cpu_s(pid: int) -> float:
    """CPU seconds that the process has used, with the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICK


def tree(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def tree_cpu_s(pid: int) -> float:
    return sum(cpu_s(one) for one in tree(pid))


def rss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def wall(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def median(values: list[float]) -> float:
    return statistics.median(values)


def waits(name: str, held_s: list[float], idle_s: list[float]) -> Result:
    """How long others had to wait: no more than 20 ms longer than when there is nothing to do."""
    ours, idle = median(held_s) * 1000, median(idle_s) * 1000
    return Result(name, "ms", ours, idle, None, "<= 20 ms more", ours - idle <= 20, "the idle server, as long")
