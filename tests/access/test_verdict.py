from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.access.verdict import DURATION_S, LONGEST_S, BackendFailed, Reply, read_verdict
from flussdvr.timeline import Range


def test_yes() -> None:
    verdict = read_verdict(Reply(200, {"x-authduration": "30", "x-userid": " ann ", "x-max-sessions": "2"}, b"ok"))
    assert verdict.allowed
    assert (verdict.duration_s, verdict.user_id, verdict.max_sessions, verdict.spans) == (30, "ann", 2, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", DURATION_S), ("x", DURATION_S), ("-1", DURATION_S), ("1.5", DURATION_S), ("0", 1), ("999999999", LONGEST_S)],
)
def test_odd_durations(given: str, expected: int) -> None:
    assert read_verdict(Reply(200, {"x-authduration": given})).duration_s == expected


def test_limits() -> None:
    assert read_verdict(Reply(200, {}), 3).max_sessions == 3
    assert read_verdict(Reply(200, {"x-max-sessions": "0"}), 3).max_sessions == 0
    assert read_verdict(Reply(200, {"x-unique": "1"})).max_sessions == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
def test_no(status: int) -> None:
    assert not read_verdict(Reply(status, {})).allowed


@pytest.mark.parametrize("status", [100, 201, 204, 301, 304, 500, 502, 503])
def test_nothing_decided(status: int) -> None:
    with pytest.raises(BackendFailed):
        read_verdict(Reply(status, {}))


def test_elsewhere() -> None:
    verdict = read_verdict(Reply(302, {"location": "http://x/"}))
    assert (verdict.allowed, verdict.location) == (False, "http://x/")
    with pytest.raises(BackendFailed):
        read_verdict(Reply(302, {}))


def test_ranges_that_touch_are_one_and_their_end_is_excluded() -> None:
    body = b'{"allowed_dvr_ranges": [{"opened_at": 20, "closed_at": 30}, {"opened_at": 10, "closed_at": 20}, {}]}'
    verdict = read_verdict(Reply(200, {}, body))
    assert verdict.spans == ((10_000, 30_000),)
    assert verdict.covers(Range(10_000, 30_000), False)
    assert not verdict.covers(Range(10_000, 30_001), False)
    assert not verdict.covers(Range(9_999, 11_000), False)
    assert verdict.covers(Range(9_000, 11_000), True)
    assert not verdict.covers(Range(30_000, 31_000), True)
    assert not verdict.covers(Range(9_000, 10_000), True)


@given(st.integers(100, 599), st.binary(max_size=50), st.text(max_size=8))
def test_anything_else_a_backend_may_say(status: int, junk: bytes, header: str) -> None:
    for body in (junk, b'{"allowed_dvr_ranges": ' + junk):
        try:
            verdict = read_verdict(Reply(status, {"x-authduration": header, "x-max-sessions": header}, body))
        except BackendFailed:
            continue
        assert 1 <= verdict.duration_s <= LONGEST_S
        assert not verdict.allowed or status == 200
