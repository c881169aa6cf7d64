from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flussdvr.access.authority import Authority, Question, decide, secure_hash, secure_token
from flussdvr.access.verdict import BackendFailed, Reply, Verdict
from flussdvr.config.model import AuthBackendSettings, AuthSettings

NOW = 1_700_000_000_000
START, END = "1699999990", "1700000060"


class Backends:
    """Replies by URL."""

    def __init__(self, **replies: Any) -> None:
        self.replies = replies
        self.asked: list[str] = []
        self.parameters: list[tuple[str, str]] = []

    async def ask(self, url: str, parameters: Any) -> Reply:
        self.asked.append(url)
        self.parameters = list(parameters)
        reply = self.replies[url.rpartition("/")[2]]
        if isinstance(reply, Exception):
            raise reply
        assert isinstance(reply, Reply)
        return reply


def verdict(authority: Authority, question: Question, backends: Any = None) -> Verdict:
    asking = Deferred.fromCoroutine(decide(authority, question, backends or Backends(), lambda: NOW))
    return SynchronousTestCase().successResultOf(asking)


def question(**changes: Any) -> Question:
    values: dict[str, Any] = {
        "name": "ort",
        "ip": "192.0.2.7",
        "token": "t",
        "user_agent": "VLC/3.0.18",
        "country": "AT",
    }
    return Question(**{**values, **changes})


# -- secure tokens


def token(ip: str = "192.0.2.7", start: str = START, end: str = END, key: str = "KEY", name: str = "ort") -> str:
    return f"{secure_hash(name, ip, start, end, key, 'salt')}-salt-{end}-{start}"


def test_a_secure_token_as_other_implementations_make_it() -> None:
    # sha1("ort" "192.0.2.7" START END "KEY" "salt"), computed with sha1sum
    assert token() == "0cff989fb47bc4d1189ffce07a31fc49355190d1-salt-1700000060-1699999990"
    found = secure_token("KEY", question(token=token()), NOW)
    assert found.allowed and found.duration_s == 60
    assert secure_token("KEY?no_check_ip=true", question(token=token("no_check_ip")), NOW).allowed
    assert verdict(Authority(AuthSettings("securetoken://KEY")), question(token=token())).allowed


@pytest.mark.parametrize(
    "wrong",
    [
        token(ip="192.0.2.8"),
        token(key="OTHER"),
        token(name="other"),
        token(ip="no_check_ip"),
        token()[:-1] + "1",
        token().replace("salt", "pepper"),
        token(start="699999990", ip="192.0.2.71"),
        "",
        "---",
        "a-b-c-d",
        "é-b-c-d",
        token() + "-x",
    ],
)
def test_a_secure_token_that_is_wrong(wrong: str) -> None:
    assert not secure_token("KEY", question(token=wrong), NOW).allowed


def test_the_times_of_a_secure_token() -> None:
    good = question(token=token())
    assert not secure_token("KEY", good, int(START) * 1000 - 1).allowed
    assert secure_token("KEY", good, int(END) * 1000 - 1).allowed
    assert secure_token("KEY", good, int(END) * 1000).code == "token_expired"


def test_an_empty_key_is_no_key() -> None:
    assert not secure_token("", question(token=token(key="")), NOW).allowed


# -- auth_backend


def lists(**values: Any) -> Authority:
    return Authority(AuthSettings("auth://people"), AuthBackendSettings("people", **values))


HERE, ELSEWHERE = (ip_network("192.0.2.0/24"),), (ip_network("198.51.100.0/24"),)


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ({}, False),
        ({"allow_default": True}, True),
        ({"allow_tokens": ("t",), "deny_tokens": ("t",)}, True),
        ({"deny_tokens": ("t",), "allow_ips": HERE}, False),
        ({"allow_ips": HERE, "deny_ips": HERE}, True),
        ({"deny_ips": HERE, "allow_uas": ("VLC",)}, False),
        ({"allow_ips": ELSEWHERE}, False),
        ({"deny_ips": ELSEWHERE, "allow_default": True}, True),
        ({"allow_countries": ("DE", "AT")}, True),
        ({"allow_countries": ("DE",)}, False),
        ({"deny_countries": ("DE", "AT"), "allow_default": True}, False),
        ({"deny_countries": ("DE",), "allow_default": True}, True),
        ({"deny_ips": HERE, "allow_countries": ("AT",)}, False),
        ({"allow_countries": ("AT",), "deny_countries": ("AT",)}, True),
        ({"deny_countries": ("AT",), "allow_uas": ("VLC",)}, False),
        ({"allow_uas": ("VLC",), "deny_uas": ("VLC",)}, True),
        ({"deny_uas": ("VLC/3",), "allow_default": True}, False),
        ({"allow_uas": ("mpv",)}, False),
        ({"allow_uas": ("",)}, False),
    ],
)
def test_the_order_of_the_lists(values: dict[str, Any], allowed: bool) -> None:
    assert verdict(lists(**values), question()).allowed is allowed


@pytest.mark.parametrize("country", ["", None])
def test_whoever_is_in_no_country_or_in_nobody_knows_which(country: str | None) -> None:
    somebody = question(country=country)
    assert not verdict(lists(allow_countries=("AT",)), somebody).allowed
    allowed = verdict(lists(deny_countries=("AT",), allow_default=True), somebody).allowed
    assert allowed is (country is not None), "a rule that can't be applied lets nobody in"


@pytest.mark.parametrize(
    ("countries", "where", "allowed"),
    [
        ({"allowed_countries": ("AT", "DE")}, "AT", True),
        ({"allowed_countries": ("DE",)}, "AT", False),
        ({"allowed_countries": ("AT",)}, "", False),
        ({"allowed_countries": ("AT",)}, None, False),
        ({"disallowed_countries": ("AT",)}, "AT", False),
        ({"disallowed_countries": ("DE",)}, "AT", True),
        ({"disallowed_countries": ("AT",)}, "", True),
        ({"disallowed_countries": ("AT",)}, None, False),
        ({"allowed_countries": ("AT",), "disallowed_countries": ("AT",)}, "AT", False),
    ],
)
@pytest.mark.parametrize("url", ["http://x/a", "auth://people", "securetoken://KEY"])
def test_countries_of_on_play(url: str, countries: dict[str, Any], where: str | None, allowed: bool) -> None:
    authority = Authority(AuthSettings(url, **countries), AuthBackendSettings("people", allow_default=True))
    backends = Backends(a=Reply(200, {}))
    found = verdict(authority, question(country=where, token=token()), backends)
    assert found.allowed is allowed and (allowed or found.code == "country_not_allowed")
    assert allowed or not backends.asked


def test_one_backend_that_allows_is_enough() -> None:
    backends = Backends(a=Reply(403, {}), b=Reply(200, {"x-userid": "ann"}), c=BackendFailed("x"))
    found = verdict(lists(backends=("http://x/a", "http://x/b", "http://x/c")), question(), backends)
    assert found.allowed and found.user_id == "ann"
    assert len(backends.asked) == 3


def test_a_backend_that_denies_is_heard_before_the_default() -> None:
    backends = Backends(a=Reply(403, {}), b=BackendFailed("x"))
    authority = lists(backends=("http://x/a", "http://x/b"), allow_default=True)
    assert not verdict(authority, question(), backends).allowed


def test_where_no_backend_answers_nothing_is_decided() -> None:
    asking = Deferred.fromCoroutine(
        decide(lists(backends=("http://x/a",)), question(), Backends(a=Reply(500, {})), lambda: NOW)
    )
    SynchronousTestCase().failureResultOf(asking, BackendFailed)
    assert lists(allow_default=True).allow_default and not lists().allow_default


def test_lists_of_another_name_or_none_decide_nothing() -> None:
    assert not verdict(Authority(AuthSettings("auth://people")), question()).allowed
    assert not verdict(Authority(AuthSettings("lua://x")), question()).allowed


def test_the_options_of_on_play_are_told() -> None:
    backends = Backends(a=Reply(200, {}))
    verdict(
        Authority(AuthSettings("http://x/a", extra={"site": "7"})), question(parameters=(("name", "ort"),)), backends
    )
    assert backends.parameters == [("name", "ort"), ("site", "7")]
