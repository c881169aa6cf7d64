"""The last events, in RAM."""

from __future__ import annotations

from flussdvr.events.history import History


def history(*names: str, limit: int = 1000) -> History:
    made = History(limit)
    for number, name in enumerate(names):
        made.add({"event": name, "event_id": str(number), "media": f"cam{number % 2}"})
    return made


def ids(found: list) -> list[int]:
    return [int(event["event_id"]) for event in found]


def test_it_is_bounded_and_forgets_the_oldest() -> None:
    made = history(*["source_lost"] * 2500)
    assert len(made) == 1000
    assert ids(made.find(10_000)) == list(range(1500, 2500))
    assert ids(made.find(3)) == [2497, 2498, 2499]
    assert made.find(0) == []


def test_what_comes_all_the_time_is_not_kept() -> None:
    made = history("web_request", "dvr_new_fragment", "play_updated", "source_updated", "dvr_deleted_fragments", "x")
    assert ids(made.find(10)) == [5]


def test_who_only_looks_at_pictures_is_not_kept() -> None:
    made = History()
    for number, proto in enumerate(("jpeg", "hls", "mp4", "download")):
        made.add({"event": "play_opened", "event_id": str(number), "proto": proto})
    assert ids(made.find(10)) == [1, 3]


def test_who_asks_again_and_again_misses_none() -> None:
    made = history(*"abcabcabc")
    assert ids(made.find(4, after="2")) == [3, 4, 5, 6]
    assert ids(made.find(4, after="6")) == [7, 8]
    assert made.find(4, after="8") == []
    assert ids(made.find(4, after="of another start")) == [5, 6, 7, 8]


def test_filters() -> None:
    made = history(*"abcabcabc")
    assert ids(made.find(10, names={"a", "c"})) == [0, 2, 3, 5, 6, 8]
    assert ids(made.find(10, names={"a"}, media="cam1")) == [3]
    assert ids(made.find(2, after="0", names={"b"})) == [1, 4]
    assert made.find(10, media="nobody") == []
