"""What is found out about a request on its way."""

from __future__ import annotations

from flussdvr.web.http.facts import RAM, Facts, Sent


def test_nothing_is_known_at_first() -> None:
    facts = Facts()
    assert (facts.parsed, facts.session_id, facts.country, facts.private) == (None, "", None, False)
    assert (facts.live, facts.source, facts.sent, facts.unsent) == (False, RAM, Sent(), 0)


def test_each_request_has_its_own() -> None:
    one, other = Facts(), Facts()
    one.sent.ram += 7
    assert other.sent.ram == 0


def test_a_misspelt_fact_is_refused() -> None:
    try:
        Facts().privat = True  # type: ignore[attr-defined]
    except AttributeError:
        return
    raise AssertionError("a name that nobody reads was written")


def test_the_last_thread_says_that_the_numbers_are_final() -> None:
    sent, calls = Sent(), list[str]()
    sent.begin()
    sent.begin()
    sent.idle = lambda: calls.append("idle")
    sent.end()
    assert calls == []
    sent.end()
    assert calls == ["idle"]
    sent.begin()
    sent.end()
    assert calls == ["idle"], "once"
