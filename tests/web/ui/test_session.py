"""Signing in and out, and what a cookie is good for, as browsers and others try it."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import globalLogPublisher
from werkzeug.security import generate_password_hash

from flussdvr import __version__
from flussdvr.config import parse_config
from flussdvr.threads import MemoryWorker
from flussdvr.web.media.usage import WebRequests
from tests.events.documents import documents
from tests.playback.recordings import Recording, T
from tests.web.ui.page_server import CONFIG, HOST, Browser, PageServer, Visit

S = T // 1000
HOUR_MS = 3_600_000
SESSION = "/ui/session"
THING = "/streamer/api/v3/thing"
PLAYLIST = f"/ort/mono-{S}-8.m3u8"
ON_PLAY = CONFIG + "stream ort { on_play http://backend.example/; }"
JSON = "Content-Type: application/json"
WITH = "X-Requested-With: flussdvr"


def credentials(password: str) -> bytes:
    return json.dumps({"user": "admin", "password": password}).encode()


@pytest.fixture
def server() -> PageServer:
    return PageServer()


@pytest.fixture
def browser(server: PageServer) -> Browser:
    browser = Browser(server)
    assert browser.sign_in().status == 200
    return browser


def test_signing_in(server: PageServer) -> None:
    browser = Browser(server)
    assert browser.get(SESSION).status == 204
    answer = browser.sign_in()
    assert answer.status == 200 and answer.headers["cache-control"] == "no-store"
    told = answer.json
    assert set(told) == {"user", "edit", "csrf", "expires_at", "server_version", "now"}
    assert (told["user"], told["edit"], told["server_version"]) == ("admin", True, __version__)
    assert (told["now"], told["expires_at"]) == (server.now_ms, server.now_ms + 12 * HOUR_MS)
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert cookie.startswith("flussdvr_session=")
    assert set(attributes) == {"Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}
    assert browser.get(SESSION).json == told
    assert Browser(server).sign_in("viewer", "look").json["edit"] is False


@pytest.mark.parametrize(
    ("user", "password"),
    [("admin", "wrong"), ("admin", "look"), ("viewer", "secret"), ("nobody", "secret"), ("", ""), ("\ud800", "\ud800")],
)
def test_a_wrong_password(server: PageServer, user: str, password: str) -> None:
    answer = Browser(server).sign_in(user, password)
    assert (answer.status, answer.code) == (401, "wrong_password")
    assert "set-cookie" not in answer.headers and "www-authenticate" not in answer.headers


def test_nobody_is_signed_in(server: PageServer) -> None:
    for headers in ([WITH], [], ["Cookie: flussdvr_session=x"]):
        answer = server.ask("GET", SESSION, *headers)
        assert (answer.status, answer.body) == (204, b"")
        assert "www-authenticate" not in answer.headers


def test_without_accounts_there_is_nothing_to_sign_in_to() -> None:
    answer = Browser(PageServer(config="api_token robot 0123456789;")).sign_in()
    assert (answer.status, answer.code) == (403, "no_accounts")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"a"', b"null", b'{"user": "admin"}', b"\xff", b"[" * 100_000, b'{"user": 1, "password": "x"}'],
)
def test_what_is_no_sign_in(server: PageServer, body: bytes) -> None:
    answer = server.ask("POST", SESSION, WITH, JSON, body=body)
    assert answer.status == 400


def test_a_password_has_its_limit(server: PageServer) -> None:
    assert Browser(server).sign_in("admin", "x" * 1000).code == "wrong_password"
    assert Browser(server).sign_in("admin", "x" * 1001).code == "bad_request"


def test_another_sites_form_can_not_sign_in(server: PageServer) -> None:
    assert server.ask("POST", SESSION, JSON, body=credentials("secret")).code == "not_from_the_page"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = server.ask("POST", SESSION, WITH, f"Content-Type: {kind}", body=credentials("secret"))
        assert (answer.status, answer.code) == (400, "bad_json")
    assert server.ask("POST", SESSION, WITH, body=credentials("secret")).status == 400
    assert server.ask("POST", SESSION, WITH, JSON + "; charset=utf-8", body=credentials("secret")).status == 200


@pytest.mark.parametrize("method", ["pbkdf2:sha256:1000", "scrypt:1024:8:1"])
def test_hashed_passwords_are_checked_in_the_worker(method: str) -> None:
    worker = MemoryWorker()
    server = PageServer(config=f'edit_auth admin "{generate_password_hash("s3cret", method)}";', worker=worker)
    for password, status in (("wrong", 401), ("s3cret", 200)):
        answer = server.send("POST", SESSION, WITH, JSON, body=credentials(password))
        assert len(worker) == 1 and answer.value() == b""
        worker.step()
        assert Visit(answer.value()).status == status


def test_a_cookie_is_secure_where_the_connection_is(server: PageServer) -> None:
    server.config = parse_config(CONFIG + "trusted_proxy 192.0.2.1;")
    assert "; Secure" in Browser(server).sign_in("admin", "secret", "X-Forwarded-Proto: https").headers["set-cookie"]
    assert "Secure" not in Browser(server).sign_in("admin", "secret", "X-Forwarded-Proto: http").headers["set-cookie"]
    other = Browser(server, "192.0.2.2").sign_in("admin", "secret", "X-Forwarded-Proto: https")
    assert other.status == 200 and "Secure" not in other.headers["set-cookie"]


# -- how long ---------------------------------------------------------------------------------------------------------


def test_who_comes_again_remains_signed_in(server: PageServer, browser: Browser) -> None:
    begun = server.now_ms
    server.now_ms += 6 * HOUR_MS - 1
    early = browser.get(SESSION)
    assert early.json["expires_at"] == begun + 12 * HOUR_MS and "set-cookie" not in early.headers
    server.now_ms += 1
    renewed = browser.get(SESSION)
    assert renewed.json["expires_at"] == server.now_ms + 12 * HOUR_MS
    assert "Max-Age=43200" in renewed.headers["set-cookie"]
    assert renewed.json["csrf"] == browser.csrf, "what the page has been told remains true"
    server.now_ms += 12 * HOUR_MS - 1
    assert browser.change("POST", THING).status == 200
    server.now_ms += 1
    assert browser.get(SESSION).status == 204
    assert browser.change("POST", THING).status == 401


def test_the_lifetime_is_configured(server: PageServer) -> None:
    server.config = parse_config(CONFIG + "sign_in_lifetime 5m;")
    answer = Browser(server).sign_in()
    assert "Max-Age=300;" in answer.headers["set-cookie"]
    assert answer.json["expires_at"] == server.now_ms + 300_000


def test_a_restart_ends_no_sign_in(server: PageServer, browser: Browser) -> None:
    server.start()
    assert browser.get(SESSION).status == 200
    assert browser.change("PUT", THING).status == 200


def test_signing_out_ends_every_copy_for_ever(server: PageServer, browser: Browser) -> None:
    first = browser.cookie
    server.now_ms += 7 * HOUR_MS
    assert browser.get(SESSION).status == 200
    second, other = browser.cookie, Browser(server)
    other.sign_in()
    assert first != second
    answer = browser.sign_out()
    assert answer.status == 204 and answer.body == b""
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert cookie == "flussdvr_session=" and {"Max-Age=0", "Path=/"} <= set(attributes)
    for _ in range(2):
        for copy in (first, second):
            assert copy is not None and server.ask("GET", SESSION, copy).status == 204
            assert server.ask("GET", THING, copy).status == 401
        assert other.get(SESSION).status == 200, "that one has not signed out"
        server.start()
    assert Browser(server).sign_out().status == 204, "nobody can be signed out as well"


def test_what_was_ended_is_forgotten_when_it_is_over(server: PageServer, browser: Browser) -> None:
    browser.sign_out()
    server.now_ms += 12 * HOUR_MS
    server.start()
    assert server.sign_ins._ended == {}
    assert browser.sign_in().status == 200
    browser.sign_out()
    server.now_ms += 13 * HOUR_MS
    browser.sign_in()
    browser.sign_out()
    assert len(server.sign_ins._ended) == 1


@pytest.mark.parametrize(
    "config",
    [
        "edit_auth admin changed; view_auth viewer look;",
        "view_auth admin secret;",
        "edit_auth other secret;",
        "edit_auth viewer look;",
        "http 80;",
    ],
)
def test_another_password_or_right_ends_the_sign_ins(server: PageServer, browser: Browser, config: str) -> None:
    server.config = parse_config(config)
    assert browser.get(SESSION).status == 204
    assert browser.get(THING).status == 401
    server.config = parse_config(CONFIG)
    assert browser.get(THING).status == 200


def test_a_password_that_changes_while_it_is_checked() -> None:
    worker = MemoryWorker()
    hashed = generate_password_hash("s3cret", "scrypt:1024:8:1")
    server = PageServer(config=f'edit_auth admin "{hashed}";', worker=worker)
    answer = server.send("POST", SESSION, WITH, JSON, body=credentials("s3cret"))
    server.config = parse_config("edit_auth admin changed;")
    worker.step()
    assert server.ask("GET", SESSION, Visit(answer.value()).cookie).status == 204


# -- how often --------------------------------------------------------------------------------------------------------


def test_after_ten_wrong_passwords_an_address_waits(server: PageServer) -> None:
    guesser, other = Browser(server), Browser(server, "192.0.2.2")
    for _ in range(10):
        assert guesser.sign_in("admin", "guess").code == "wrong_password"
    server.clock.advance(20.5)
    answer = guesser.sign_in()
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "too_many_attempts", "40")
    assert answer.reason == "Too Many Requests"
    assert other.sign_in().status == 200
    server.clock.advance(39.5)
    assert guesser.sign_in().status == 200


def test_attempts_at_the_same_time_are_counted() -> None:
    worker = MemoryWorker()
    config = f'edit_auth admin "{generate_password_hash("s3cret", "scrypt:1024:8:1")}";'
    server = PageServer(config=config, worker=worker)
    answers = [server.send("POST", SESSION, WITH, JSON, body=credentials(str(number))) for number in range(15)]
    assert len(worker) == 10
    assert [Visit(answer.value()).status for answer in answers if answer.value()] == [429] * 5


def test_passwords_that_wait_in_vain_are_no_attempts() -> None:
    config = f'edit_auth admin "{generate_password_hash("s3cret", "scrypt:1024:8:1")}"; view_auth viewer look;'
    worker = MemoryWorker(limit=1)
    server = PageServer(config=config, worker=worker)
    server.send("POST", SESSION, WITH, JSON, body=credentials("guess"), ip="192.0.2.2")
    for _ in range(12):
        answer = Browser(server).sign_in("admin", "s3cret")
        assert (answer.status, answer.code) == (503, "busy")
    worker.step()
    answer = server.send("POST", SESSION, WITH, JSON, body=credentials("s3cret"))
    worker.step()
    assert Visit(answer.value()).status == 200


# -- the API ----------------------------------------------------------------------------------------------------------


def test_the_api_takes_the_cookie(server: PageServer, browser: Browser) -> None:
    assert browser.get(THING).json == {"account": "admin", "edit": True}
    for method in ("POST", "PUT", "DELETE"):
        answer = browser.ask(method, THING)
        assert (answer.status, answer.code) == (403, "csrf_token_wrong")
        assert browser.ask(method, THING, f"X-CSRF-Token: {browser.csrf}x").code == "csrf_token_wrong"
        assert browser.ask(method, THING, "X-CSRF-Token: \xff").code == "csrf_token_wrong"
        assert browser.change(method, THING).status == 200
    assert browser.ask("POST", "/streamer/api/v3/check").code == "csrf_token_wrong"
    assert server.changed == ["GET", "POST", "PUT", "DELETE"]


def test_the_proof_of_one_sign_in_is_no_proof_of_another(server: PageServer, browser: Browser) -> None:
    other = Browser(server)
    other.sign_in("viewer", "look")
    assert other.csrf != browser.csrf
    assert browser.ask("PUT", THING, f"X-CSRF-Token: {other.csrf}").code == "csrf_token_wrong"


def test_who_may_only_look(server: PageServer) -> None:
    viewer = Browser(server)
    viewer.sign_in("viewer", "look")
    assert viewer.get(THING).json == {"account": "viewer", "edit": False}
    answer = viewer.change("PUT", THING)
    assert (answer.status, answer.code) == (403, "read_only_account")


def test_credentials_are_looked_at_first(server: PageServer, browser: Browser) -> None:
    def basic(text: str) -> str:
        return "Authorization: Basic " + b64encode(text.encode()).decode()

    assert browser.get(THING, basic("viewer:look")).json["account"] == "viewer"
    assert browser.ask("PUT", THING, basic("admin:secret")).status == 200, "they are no cookie: no proof is needed"
    assert browser.get(THING, basic("admin:old")).json["account"] == "admin", "a browser may have kept old ones"
    assert browser.ask("PUT", THING, basic("admin:old")).code == "csrf_token_wrong"


def test_the_page_asks_itself_and_not_the_browser(server: PageServer) -> None:
    assert "www-authenticate" in server.ask("GET", THING).headers
    answer = server.ask("GET", THING, WITH)
    assert answer.status == 401 and "www-authenticate" not in answer.headers


def test_api_allowed_from_holds_for_sign_ins(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    server = PageServer([recording], ON_PLAY + "api_allowed_from 192.0.2.0/30;")
    inside = Browser(server)
    assert inside.sign_in().status == 200
    outside = Browser(server, "198.51.100.1")
    assert outside.sign_in().code == "not_allowed_from_here"
    outside.cookie, outside.csrf = inside.cookie, inside.csrf
    assert outside.get(SESSION).code == outside.change("PUT", THING).code == "not_allowed_from_here"
    assert outside.sign_out().code == "not_allowed_from_here"
    assert (inside.get(PLAYLIST).status, outside.get(PLAYLIST).status) == (200, 403)
    assert outside.get("/").status == 200


def test_a_listener_with_api_off_knows_no_sign_ins(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    server = PageServer([recording], ON_PLAY + "http 80; http 81 { api off; }")
    browser = Browser(server)
    assert browser.sign_in(port=81).status == 404
    browser.sign_in()
    for method in ("GET", "DELETE"):
        assert browser.ask(method, SESSION, port=81).code == "not_found"
    assert browser.ask("POST", SESSION, port=81, body=b"{").code == "not_found"
    assert browser.ask("GET", PLAYLIST, port=81).status == 403
    assert browser.ask("GET", PLAYLIST).status == 200


# -- other sites ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"http://{HOST}.evil.example", f"http://{HOST}:8081", ""]
)
def test_what_another_site_sends_changes_nothing(server: PageServer, browser: Browser, origin: str) -> None:
    foreign = f"Origin: {origin}"
    answer = browser.ask("PUT", THING, f"X-CSRF-Token: {browser.csrf}", foreign)
    assert (answer.status, answer.code) == (403, "foreign_origin")
    assert browser.sign_in("admin", "secret", foreign).code == "foreign_origin"
    assert browser.ask("DELETE", SESSION, foreign).code == "foreign_origin"
    assert server.changed == [] and browser.get(SESSION).status == 200
    assert browser.ask("PUT", THING, f"X-CSRF-Token: {browser.csrf}", f"Origin: http://{HOST}").status == 200


def test_another_site_can_not_sign_out(server: PageServer, browser: Browser) -> None:
    assert browser.cookie is not None
    assert server.ask("DELETE", SESSION, browser.cookie).code == "not_from_the_page"
    assert browser.get(SESSION).status == 200


@pytest.mark.parametrize("url", [SESSION, THING, "/", "/ort/embed.html", "/ui/assets/index-1a2b.js", PLAYLIST])
def test_no_other_origin_may_use_the_cookie(server: PageServer, browser: Browser, url: str) -> None:
    """A browser gives a page of another origin no answer to a request with cookies, and sends none that asks before."""
    asked = ("Origin: http://evil.example", "Access-Control-Request-Method: PUT")
    before = browser.ask("OPTIONS", url, *asked, "Access-Control-Request-Headers: x-csrf-token, x-requested-with")
    assert before.status == 204
    allowed = before.headers["access-control-allow-headers"].lower()
    assert (
        "*" not in allowed and "csrf" not in allowed and "x-requested-with" not in allowed and "cookie" not in allowed
    )
    for answer in (before, browser.get(url), browser.get(url, "Origin: http://evil.example")):
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "set-cookie" not in answer.headers.get("access-control-expose-headers", "").lower()


# -- watching ---------------------------------------------------------------------------------------------------------


def test_who_is_signed_in_may_watch_everything(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    server = PageServer([recording], ON_PLAY)
    browser = Browser(server)
    assert browser.get(PLAYLIST).status == 403 and server.backend.asked == 1
    browser.sign_in("viewer", "look")
    for url in (PLAYLIST, f"/ort/archive-{S}-5.mp4", "/ort/recording_status.json"):
        assert browser.get(url).status == 200, url
    assert server.backend.asked == 1
    kinds = {(session.user_id, session.proto) for session in server.sessions}
    assert {("viewer", "hls"), ("viewer", "download")} <= kinds
    key = next(iter(server.sessions)).pass_key
    browser.sign_out()
    assert not [session for session in server.sessions if session.pass_key == key]
    assert browser.get(PLAYLIST).status == 403


def test_all_that_a_cookie_opens_says_that_it_is_private(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    server = PageServer([recording], ON_PLAY)
    browser = Browser(server)
    browser.sign_in()
    segment = "2026/11/20/17/00/00.000-02000.m4s"
    files = f"archive-{S}-5.mp4", f"archive-{S}-5.ts", f"archive/{S}/5/mpegts", segment
    texts = f"index-{S}-5.m3u8", f"mono-{S}-5.m3u8", "recording_status.json", "media_info.json"
    for method in ("GET", "HEAD"):
        for command in (*files, *texts):
            answer = browser.ask(method, f"/ort/{command}")
            assert answer.status == 200 and answer.headers["cache-control"].startswith("private"), command
    server.config = parse_config(CONFIG)
    for command in files:
        assert "private" not in server.ask("GET", f"/ort/{command}").headers.get("cache-control", ""), command


def test_what_a_cookie_opens_is_kept_by_no_cache_for_others(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    server = PageServer([recording], ON_PLAY)
    browser = Browser(server)
    browser.sign_in()
    segment = "/ort/2026/11/20/17/00/00.000-02000.m4s"
    whole = browser.get(segment)
    assert whole.status == 200 and whole.headers["cache-control"] == "private, max-age=86400, immutable"
    kept = browser.get(segment, f"If-None-Match: {whole.headers['etag']}")
    assert kept.status == 304 and kept.headers["cache-control"] == "private, max-age=86400, immutable"
    assert browser.get("/ui/assets/index-1a2b.js").headers["cache-control"].startswith("public")
    server.config = parse_config("view_auth viewer look;")
    assert browser.get(segment).headers["cache-control"] == "public, max-age=86400, immutable"


def test_a_cookie_that_is_not_good_shuts_nobody_out(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.blob()
    server = PageServer([recording])
    browser = Browser(server)
    browser.sign_in()
    browser.get(PLAYLIST)
    server.config = parse_config("edit_auth admin changed;")
    assert browser.get(PLAYLIST).status == 200
    assert [session.user_id for session in server.sessions] == ["admin", None]


# -- what is told of it -----------------------------------------------------------------------------------------------


def test_no_log_and_no_event_has_the_cookie(server: PageServer) -> None:
    logged: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(logged.append)
    try:
        browser = Browser(server)
        browser.sign_in()
        browser.sign_in("admin", "wr0ng-guess")
        browser.get(SESSION)
        cookie = browser.cookie
        browser.get(THING)
        browser.ask("PUT", THING)
        browser.sign_out()
    finally:
        globalLogPublisher.removeObserver(logged.append)
    events: list[Any] = []
    usage = WebRequests(documents(events), lambda: server.now_ms)
    for request in server.accessed:
        usage(request, False)
    assert len(events) == 6 and len(logged) > 6
    assert cookie is not None
    secrets = [cookie.partition("=")[2], cookie.rpartition(".")[2], browser.csrf, "wr0ng-guess", "secret"]
    for line in (*map(str, logged), *map(str, events)):
        assert not [secret for secret in secrets if secret in line], line
    assert all(event["id"] is None for event in events) and len(server.sessions) == 0
