"""Which listener a request came to."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress

from flussdvr.config import parse_config
from flussdvr.config.model import Config
from flussdvr.web.http.listeners import KINDS, Listeners


def host(address: str, port: int) -> IPv4Address:
    return IPv4Address("TCP", address, port)


def opened(config: Config, *ports: int) -> Listeners:
    """Each listener of a configuration at its port, or at the next of `ports` where that is 0."""
    free, listeners = list(ports), Listeners()
    for kind in KINDS:
        for one in getattr(config, kind):
            listeners.bound(kind, one, one.port or free.pop(0))
    return listeners


def test_a_free_port() -> None:
    config = parse_config("http 127.0.0.1:0 { api off; } http 127.0.0.1:0; http 127.0.0.1:0 { api off; }")
    listeners = opened(config, 40001, 40002, 40003)
    hidden = [listeners.hide_api(config, host("127.0.0.1", 40001 + at)) for at in range(3)]
    assert hidden == [True, False, True]


def test_one_port_on_two_addresses() -> None:
    config = parse_config("http 192.0.2.1:80 { api off; } http 127.0.0.1:80;")
    listeners = opened(config)
    assert listeners.hide_api(config, host("192.0.2.1", 80))
    assert not listeners.hide_api(config, host("127.0.0.1", 80))
    assert listeners.hide_api(config, host("192.0.2.7", 80)), "what cannot be told is hidden"


def test_every_address() -> None:
    config = parse_config("http 80 { api off; } http 81;")
    listeners = opened(config)
    assert listeners.hide_api(config, host("192.0.2.1", 80)) and not listeners.hide_api(config, host("192.0.2.1", 81))
    assert not listeners.hide_api(config, UNIXAddress("/run/x"))


def test_a_reload_holds_for_a_listener_that_stays() -> None:
    config = parse_config("http 127.0.0.1:0; http 81 { api off; }")
    listeners = opened(config, 40001)
    now = parse_config("http 127.0.0.1:0 { api off; }")
    assert listeners.hide_api(now, host("127.0.0.1", 40001))
    assert listeners.hide_api(now, host("127.0.0.1", 81)), "one that is gone from the file is open until a restart"


def test_what_the_api_says_of_them() -> None:
    config = parse_config("http 127.0.0.1:0; rtmp 0;")
    assert Listeners().documents(config)["http"] == [{"port": 0, "address": "127.0.0.1"}]
    assert opened(config, 40001, 40002).documents(config) == {
        "http": [{"port": 40001, "address": "127.0.0.1"}],
        "https": [],
        "rtmp": [{"port": 40002, "address": None}],
    }
