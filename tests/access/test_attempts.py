import pytest
from twisted.internet.task import Clock

from flussdvr.access.attempts import ADDRESSES, LIMIT, Attempts, TooMany


def test_some_are_allowed_in_a_while() -> None:
    clock = Clock()
    attempts = Attempts(clock.seconds)
    for _ in range(LIMIT):
        attempts.begin("192.0.2.1")
        clock.advance(1)
    with pytest.raises(TooMany) as raised:
        attempts.begin("192.0.2.1")
    assert (raised.value.status, raised.value.retry_after_s) == (429, 50)
    attempts.begin("192.0.2.2")
    clock.advance(49.5)
    with pytest.raises(TooMany) as raised:
        attempts.begin("192.0.2.1")
    assert raised.value.retry_after_s == 1
    clock.advance(0.5)
    attempts.begin("192.0.2.1")
    with pytest.raises(TooMany):
        attempts.begin("192.0.2.1")


def test_a_good_one_does_not_count_and_excuses_no_other() -> None:
    attempts = Attempts(Clock().seconds)
    for _ in range(LIMIT - 1):
        attempts.begin("192.0.2.1")
    for _ in range(3):
        attempts.begin("192.0.2.1")
        attempts.forget("192.0.2.1")
    attempts.begin("192.0.2.1")
    with pytest.raises(TooMany):
        attempts.begin("192.0.2.1")
    attempts.forget("192.0.2.9")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("/run/socket", "", False),
    ],
)
def test_whose_they_are(one: str, other: str, same: bool) -> None:
    attempts = Attempts(Clock().seconds)
    for _ in range(LIMIT):
        attempts.begin(one)
    try:
        attempts.begin(other)
    except TooMany:
        assert same
    else:
        assert not same


def test_memory_is_bounded() -> None:
    attempts = Attempts(Clock().seconds)
    for number in range(ADDRESSES + 100):
        attempts.begin(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts._begun) == ADDRESSES
