# -*- test-case-name: tests.archive.disk.test_placement -*-
"""
Which disk is at which path, when the server starts.

A disk is known by the uuid in its marker, so it may be mounted elsewhere. Two directories with one uuid are a disk and
a copy of it (`cp -a`, rsync, a snapshot): only one of them can be recorded to as this disk. The one that is configured
is; where both are, the one that the catalog knows; where it knows neither, the one that is configured first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Placement:
    """`adopt`: path -> uuid, for disks that are not where the catalog has them; `copies`: path -> that of the disk."""

    adopt: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    """Paths of the catalog whose disk is elsewhere now, and that are not configured."""


def place(
    found: Mapping[str, str], silent: Collection[str], known: Mapping[str, str], configured: Sequence[str]
) -> Placement:
    """
    `found`: the uuid at each path that has one; `silent`: paths that have not answered; `known`: the uuid that the
    catalog has at each path; `configured`: paths of the configuration, in order.
    """
    result = Placement()
    wanted = dict.fromkeys(configured)
    for uuid in dict.fromkeys(found.values()):
        paths = [path for path in found if found[path] == uuid]
        # A known disk that hangs is not elsewhere.
        paths += [path for path in silent if known.get(path) == uuid and path in wanted]
        order = {path: number for number, path in enumerate(wanted)}
        paths.sort(key=lambda path: (path not in wanted, known.get(path) != uuid, order.get(path, 0), path))
        home, *others = paths
        if known.get(home) != uuid:
            result.adopt[home] = uuid
        for path in others:
            if path in wanted:
                result.copies[path] = home
            else:
                result.forgotten.append(path)
    return result
