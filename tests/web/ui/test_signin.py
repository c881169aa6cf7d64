"""Which cookie proves a sign-in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.web.ui.page_server import Browser, PageServer

SESSION = "/ui/session"
THING = "/streamer/api/v3/thing"


@pytest.fixture
def server() -> PageServer:
    return PageServer()


@pytest.fixture
def browser(server: PageServer) -> Browser:
    browser = Browser(server)
    assert browser.sign_in().status == 200
    return browser


def test_of_several_cookies_the_good_one_is_taken(server: PageServer, browser: Browser) -> None:
    assert browser.cookie is not None
    name, _, good = browser.cookie.removeprefix("Cookie: ").partition("=")
    for cookies in (
        [f"Cookie: {name}=old; {name}={good}"],
        [f"Cookie: {name}={good}; {name}=old"],
        [f"Cookie: {name}=old", f"Cookie: theme=dark;{name}={good}"],
        [f"Cookie: ;;; =; x; {name}; {name}={good};"],
    ):
        assert server.ask("GET", SESSION, *cookies).status == 200, cookies
    many = "; ".join([f"{name}=old"] * 8)
    assert server.ask("GET", SESSION, f"Cookie: {many}; {name}={good}").status == 204
    for wrong in (name.upper(), f"x{name}", f"{name}x"):
        assert server.ask("GET", SESSION, f"Cookie: {wrong}={good}").status == 204


def test_a_cookie_is_good_as_a_whole(server: PageServer, browser: Browser) -> None:
    assert browser.cookie is not None
    good = browser.cookie
    at = len("Cookie: flussdvr_session=")
    for place in range(at, len(good)):
        other = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        assert server.ask("GET", SESSION, other).status == 204, place
    for other in (good[:-1], good + "A", good[:at], good[:at] + "." + good[at:], good.replace(".", "")):
        assert server.ask("GET", SESSION, other).status == 204


def test_another_servers_cookie_is_not_good(server: PageServer, browser: Browser) -> None:
    other = PageServer(secret=b"o" * 32)
    assert browser.cookie is not None
    assert other.ask("GET", SESSION, browser.cookie).status == 204


def test_a_cookie_of_the_secret_that_could_not_be_read_at_the_start(server: PageServer, browser: Browser) -> None:
    late = PageServer(secret=b"o" * 32)
    assert browser.cookie is not None
    late.sign_ins.use(server.secret)
    assert late.ask("GET", SESSION, browser.cookie).status == 200


GARBLED = PageServer()
HEADERS = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=200)
VALUES = st.from_regex(r"flussdvr_session=[A-Za-z0-9_.=;, -]*", fullmatch=True)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(HEADERS, VALUES), max_size=4))
def test_garbage_signs_nobody_in(cookies: list[str]) -> None:
    server = GARBLED
    headers = [f"Cookie: {cookie}" for cookie in cookies]
    assert server.ask("GET", SESSION, *headers).status == 204
    assert server.ask("GET", THING, *headers).status == 401
    assert server.ask("GET", "/", *headers).status == 200
