"""What of the file descriptors is not for clients."""

from __future__ import annotations

import os

import pytest

from flussdvr.process import descriptors
from flussdvr.process.descriptors import for_client, is_spare, raise_limit


def test_a_part_is_never_a_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "getrlimit", lambda which: (1024, 4096))
    assert is_spare(767) and not is_spare(768)
    monkeypatch.setattr(descriptors, "getrlimit", lambda which: (-1, -1))
    assert is_spare(10**6)


def test_what_a_client_does_not_get_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    assert for_client(descriptor) == descriptor
    monkeypatch.setattr(descriptors, "getrlimit", lambda which: (0, 0))
    with pytest.raises(OSError, match="Too many open files"):
        for_client(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize(
    ("before", "after"), [((1024, 4096), 4096), ((1024, -1), 65_536), ((1024, 10**6), 65_536), ((10**5, 10**6), None)]
)
def test_the_limit_is_raised(monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], after: int | None) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(descriptors, "getrlimit", lambda which: before)
    monkeypatch.setattr(descriptors, "setrlimit", lambda which, limits: asked.append(limits))
    raise_limit()
    assert asked == ([] if after is None else [(after, before[1])])
