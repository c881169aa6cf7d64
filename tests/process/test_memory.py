from __future__ import annotations

import gc

from flussdvr.process.memory import settle, trim


def test_what_lives_for_ever_is_left_alone_by_the_collector() -> None:
    try:
        settle()
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()


def test_trimming_does_no_harm() -> None:
    trim()
