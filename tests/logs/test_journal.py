"""Entries of systemd's journal byte by byte, and a socket of the test's own that takes them."""

from __future__ import annotations

import array
import os
import re
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure

from flussdvr.logs import journal
from flussdvr.logs.journal import (
    BACKLOG,
    SEALS,
    VALUE_MAX,
    JournalObserver,
    JournalWriter,
    encode,
    fields_of,
    is_journal,
)


def decode(entry: bytes) -> list[tuple[str, bytes]]:
    """As the journal reads it."""
    fields, at = [], 0
    while at < len(entry):
        line = entry[at : entry.index(b"\n", at)]
        at += len(line) + 1
        key, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", entry, at)
            value = entry[at + 8 : at + 8 + length]
            assert entry[at + 8 + length : at + 9 + length] == b"\n"
            at += 9 + length
        fields.append((key.decode(), value))
    return fields


# -- the encoder --------------------------------------------------------------------------------------------------


def test_one_line_and_several() -> None:
    assert encode([("MESSAGE", "a=é"), ("PRIORITY", "6")]) == b"MESSAGE=a=\xc3\xa9\nPRIORITY=6\n"
    assert encode([("MESSAGE", "a\nb")]) == b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n"
    assert encode([("MESSAGE", "")]) == b"MESSAGE=\n" and encode([]) == b""


@given(st.lists(st.tuples(st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True), st.text())))
def test_whatever_is_written_is_read_again(fields: list[tuple[str, str]]) -> None:
    assert decode(encode(fields)) == [(key, value.encode("utf-8", "backslashreplace")) for key, value in fields]


@pytest.mark.parametrize("key", ["", "_PID", "1A", "a", "A B", "A=", "A\nB", "A\n", "É", "A" * 65])
def test_a_key_that_the_journal_leaves_out_is_a_bug(key: str) -> None:
    with pytest.raises(ValueError, match="no field"):
        encode([(key, "x")])


def test_a_value_has_an_end_between_characters() -> None:
    ((_, value),) = decode(encode([("MESSAGE", "x" + "é" * VALUE_MAX)]))
    assert len(value) == VALUE_MAX - 1 and value.decode() == "x" + "é" * (VALUE_MAX // 2 - 1)


def test_what_is_no_character_is_written_escaped() -> None:
    assert encode([("FLUSSDVR_PATH", "/a\udcff")]) == b"FLUSSDVR_PATH=/a\\udcff\n"


# -- fields -------------------------------------------------------------------------------------------------------


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


class Log:
    """What a logger tells."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.logger = Logger("flussdvr.thing", observer=LogPublisher(self.events.append))

    def fields(self) -> dict[str, str]:
        return dict(fields_of(self.events[-1]))


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", "7"), ("info", "6"), ("warn", "4"), ("error", "3"), ("critical", "2")]
)
def test_levels(level: str, priority: str) -> None:
    log = Log()
    log.logger.emit(LogLevel.lookupByName(level), "it is {what}", what="so")
    assert log.fields() == {
        "MESSAGE": "it is so",
        "PRIORITY": priority,
        "SYSLOG_IDENTIFIER": "flussdvr",
        "LOGGER": "flussdvr.thing",
    }


def test_what_an_event_has_can_be_searched_by() -> None:
    log = Log()
    log.logger.warn("{stream} on {root}: {error}", stream="ort", root="/disk", error=OSError(28, "full"), secret="s")
    fields = log.fields()
    assert (fields["FLUSSDVR_STREAM"], fields["FLUSSDVR_ROOT"]) == ("ort", "/disk")
    assert fields["FLUSSDVR_ERROR"] == "[Errno 28] full" and "s" not in fields.values()


def test_a_bug_has_its_place_and_traceback() -> None:
    log = Log()
    try:
        Unprintable().__str__()
    except RuntimeError:
        log.logger.failure("{stream} fails", stream=Unprintable())
    fields = log.fields()
    assert fields["MESSAGE"].rstrip().endswith("RuntimeError:") and "Traceback" in fields["MESSAGE"]
    assert (fields["CODE_FILE"], fields["CODE_FUNC"], fields["PRIORITY"]) == (__file__, "__str__", "2")
    assert "FLUSSDVR_STREAM" in fields, "what can't be printed is said so, and stops nothing"


def test_other_libraries_events() -> None:
    assert fields_of({}) == []
    assert dict(fields_of({"log_format": "x"}))["PRIORITY"] == "6"
    assert dict(fields_of({"log_format": "x", "isError": 1}))["PRIORITY"] == "3"
    failure = Failure(ValueError("v"))  # type: ignore[no-untyped-call]
    assert dict(fields_of({"log_format": "x", "log_failure": failure}))["PRIORITY"] == "3"


# -- the socket ---------------------------------------------------------------------------------------------------


class Journal:
    """Listens as the journal does."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(30)

    def entry(self) -> dict[str, bytes]:
        data, ancillary, _, _ = self.socket.recvmsg(1 << 20, 1000)
        for _, kind, rights in ancillary:
            assert kind == socket.SCM_RIGHTS and not data
            (fd,) = array.array("i", rights)
            assert fcntl_seals(fd) == SEALS
            with open(fd, "rb") as file:
                file.seek(0)
                data = file.read()
        return dict(decode(data))


def fcntl_seals(fd: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_GET_SEALS)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Journal]:
    one = Journal(tmp_path / "socket")
    yield one
    one.socket.close()


def message(text: object) -> bytes:
    return encode([("MESSAGE", str(text))])


def test_an_entry_arrives(listening: Journal) -> None:
    writer = JournalWriter(listening.path)
    assert writer.write(message("a\nb"))
    assert listening.entry() == {"MESSAGE": b"a\nb"}


def test_a_large_one_comes_in_a_sealed_file(listening: Journal) -> None:
    writer = JournalWriter(listening.path)
    fields = [(f"FIELD_{number}", "x" * VALUE_MAX) for number in range(20)]
    before = os.listdir("/proc/self/fd")
    assert writer.write(encode(fields))
    assert listening.entry() == {key: value.encode() for key, value in fields}
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_busy_journal_is_not_waited_for(listening: Journal) -> None:
    """The socket is full: so many wait, the rest is counted, and both are told once it reads again."""
    writer = JournalWriter(listening.path)
    sent = 0
    while not writer.lost:
        assert writer.write(message(sent))
        sent += 1
    assert BACKLOG < sent
    for _ in range(9):
        writer.write(message("left out"))
    arrived: list[bytes] = []
    while b"left out" not in (text := listening.entry()["MESSAGE"]):
        arrived.append(text)
    assert arrived == [b"%d" % number for number in range(len(arrived))] and len(arrived) == sent - 1
    assert text == b"10 log entries are left out: the journal was too busy"
    writer.flush(30)
    assert writer.write(message("after"))
    assert listening.entry() == {"MESSAGE": b"after"}


def test_a_journal_that_goes_while_entries_wait_is_told_how_many_it_missed(listening: Journal, tmp_path: Path) -> None:
    writer = JournalWriter(listening.path)
    while not writer.lost:
        writer.write(message("x"))
    (tmp_path / "socket").unlink()
    listening.socket.close()
    writer.flush(30)
    assert not writer.write(message("y")), "there is none"
    again = Journal(tmp_path / "socket")
    assert writer.write(message("z"))
    assert re.fullmatch(rb"1\d\d\d log entries are left out.*", again.entry()["MESSAGE"])
    assert again.entry() == {"MESSAGE": b"z"}
    again.socket.close()


def test_without_a_journal_there_is_text(tmp_path: Path) -> None:
    text: list[Any] = []
    observer = JournalObserver(JournalWriter(str(tmp_path / "socket")), text.append)  # type: ignore[arg-type]
    log = Logger("flussdvr.thing", observer=observer)
    log.info("one")
    journal = Journal(tmp_path / "socket")
    log.info("two")
    assert journal.entry()["MESSAGE"] == b"two"
    journal.socket.close()
    log.info("three")
    assert [event["log_format"] for event in text] == ["one", "three"]


# -- whether it is meant ------------------------------------------------------------------------------------------


def test_the_stream_that_systemd_made_is_known(tmp_path: Path) -> None:
    with open(tmp_path / "a", "w") as file, open(tmp_path / "b", "w") as other:
        status = os.fstat(file.fileno())
        stream = f"{status.st_dev}:{status.st_ino}"
        assert is_journal(file, stream) and not is_journal(other, stream)
        assert not is_journal(file, "") and not is_journal(file, "1:2") and not is_journal(file, "x")
    assert not is_journal(file, stream), "closed"
    assert journal.SOCKET == "/run/systemd/journal/socket" and sys.platform == "linux"
