from __future__ import annotations

import socket
from pathlib import Path

import pytest

from flussdvr.process.systemd import notify, reloading, watchdog_interval_s


def test_states_reach_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert receiver.recv(100) == b"READY=1"
        reloading()
        assert receiver.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


def test_abstract_sockets_work_too(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"flussdvr-test-{id(monkeypatch)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name)
        receiver.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        notify("STOPPING=1")
        assert receiver.recv(100) == b"STOPPING=1"


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")


@pytest.mark.parametrize(("usec", "interval"), [("60000000", 30.0), ("", None), ("0", None), ("soon", None)])
def test_the_watchdog_is_fed_twice_as_often_as_it_wants(
    monkeypatch: pytest.MonkeyPatch, usec: str, interval: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    assert watchdog_interval_s() == interval
