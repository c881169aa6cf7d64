import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import DvrError
from flussdvr.web.http.ranges import matches, may_resume, parse_range

ROWS = [
    (None, None),
    ("bytes=0-", (0, 1000)),
    ("bytes=0-0", (0, 1)),
    ("bytes=0-499", (0, 500)),
    ("bytes=500-", (500, 1000)),
    ("bytes=-1", (999, 1000)),
    ("bytes=-5000", (0, 1000)),
    ("bytes=990-5000", (990, 1000)),
    ("Bytes = 0 - 9", (0, 10)),
    ("bytes=0-1,5-6", None),
    ("bytes=9-1", None),
    ("bytes=-", None),
    ("bytes=a-b", None),
    ("items=0-5", None),
    ("", None),
]


@pytest.mark.parametrize(("header", "expected"), ROWS)
def test_range(header: str | None, expected: tuple[int, int] | None) -> None:
    assert parse_range(header, 1000) == expected


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_unsatisfiable(header: str) -> None:
    with pytest.raises(DvrError) as refusal:
        parse_range(header, 1000)
    assert refusal.value.status == 416


@given(st.text(max_size=30), st.integers(0, 10))
def test_any_header(header: str, length: int) -> None:
    try:
        chosen = parse_range("bytes=" + header, length)
    except DvrError:
        return
    assert chosen is None or 0 <= chosen[0] < chosen[1] <= length


def test_preconditions() -> None:
    assert matches('"a", W/"b"', '"b"')
    assert matches("*", '"b"')
    assert not matches('"a"', '"b"')
    assert not matches(None, '"b"')
    assert may_resume(None, '"b"')
    assert may_resume('"b"', '"b"')
    assert not may_resume('"a"', '"b"')
    assert not may_resume("Wed, 21 Oct 2015 07:28:00 GMT", '"b"')
    assert not may_resume('W/"b"', 'W/"b"')
