"""The server's side of RTMP against a client made of the same chunk writer: whole, byte by byte, hostile."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.flv import amf0
from flussdvr.formats.rtmp.chunks import ChunkReader, ChunkWriter, Message, MessageType
from flussdvr.formats.rtmp.session import (
    CHUNK_SIZE,
    MAX_UNPUBLISHED,
    Connected,
    Event,
    MediaTag,
    PublishRequested,
    RtmpServer,
    State,
    Unpublished,
)

URL = "rtmp://example.net/live"


class RtmpClient:
    """What a publisher sends, as bytes; `received` reads what the server answers."""

    def __init__(self, complex_handshake: bool = False) -> None:
        version = bytes((9, 0, 124, 2)) if complex_handshake else bytes(4)
        self.greeting = b"\x03" + b"\x00\x00\x00\x07" + version + b"c" * 1528
        self.second = b"s" * 1536
        self._writer = ChunkWriter(compress=True)
        self._reader = ChunkReader()
        self._skip = 1 + 2 * 1536

    def message(
        self, kind: int, body: bytes, timestamp: int = 0, stream_id: int = 0, chunk_stream_id: int = 3
    ) -> bytes:
        return self._writer.write(Message(kind, stream_id, timestamp, body), chunk_stream_id)

    def command(self, *values: Any, stream_id: int = 0) -> bytes:
        return self.message(MessageType.COMMAND, amf0.encode(*values), stream_id=stream_id)

    def connect(self, app: str = "live", **params: Any) -> bytes:
        return self.command("connect", 1, {"app": app, "tcUrl": URL} | params)

    def publish(self, key: str = "x") -> bytes:
        return (
            self.command("releaseStream", 2, None, key)
            + self.command("FCPublish", 3, None, key)
            + self.command("createStream", 4, None)
            + self.command("publish", 5, None, key, "live", stream_id=1)
        )

    def media(self, kind: int, timestamp: int, body: bytes) -> bytes:
        return self.message(kind, body, timestamp & 0xFFFFFFFF, 1, 4 if kind == 8 else 6)

    def received(self, data: bytes) -> list[Message]:
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        self._reader.receive_data(data[skipped:])
        return list(self._reader.messages())

    def commands(self, data: bytes) -> list[list[Any]]:
        return [amf0.decode(m.body) for m in self.received(data) if m.type == MessageType.COMMAND]


def fed(server: RtmpServer, data: bytes, step: int | None = None, accept: bool = True) -> list[Event]:
    events = []
    for start in range(0, len(data), step or len(data)):
        server.receive_data(data[start : start + (step or len(data))])
        for event in server.events():
            events.append(event)
            if accept and isinstance(event, PublishRequested):
                server.accept_publish()
    return events


def publishing(client: RtmpClient, key: str = "x") -> RtmpServer:
    """A server with whom the client publishes."""
    server = RtmpServer()
    fed(server, client.greeting + client.second + client.connect() + client.publish(key))
    assert server.state is State.PUBLISHING
    return server


def session(client: RtmpClient) -> bytes:
    """Everything that a publisher may send in its life."""
    metadata = amf0.encode("@setDataFrame", "onMetaData", {"width": 320})
    return b"".join(
        [
            client.greeting,
            client.second,
            client.message(MessageType.WINDOW_ACK_SIZE, struct.pack(">I", 5000), chunk_stream_id=2),
            client.connect(),
            client.message(MessageType.SET_CHUNK_SIZE, struct.pack(">I", 300), chunk_stream_id=2),
            client.publish("x?password=y"),
            client.message(MessageType.DATA, metadata, 0, 1, 4),
            client.media(9, 0, b"\x17" + b"v" * 1000),
            client.media(8, 0, b"\xaf" + b"a" * 100),
            client.media(8, 23, b"\xaf" + b"b" * 100),
            client.media(9, 40, b"\x27" + b"w" * 700),
            client.message(MessageType.USER_CONTROL, b"\x00\x06\x01\x02\x03\x04", chunk_stream_id=2),
            client.command("FCUnpublish", 6, None, "x"),
            client.command("deleteStream", 7, None, 1),
        ]
    )


EVENTS: list[Event] = [
    Connected("live", URL, {"app": "live", "tcUrl": URL}),
    PublishRequested("live", "x?password=y", URL),
    MediaTag(18, 0, amf0.encode("onMetaData", {"width": 320})),
    MediaTag(9, 0, b"\x17" + b"v" * 1000),
    MediaTag(8, 0, b"\xaf" + b"a" * 100),
    MediaTag(8, 23, b"\xaf" + b"b" * 100),
    MediaTag(9, 40, b"\x27" + b"w" * 700),
    Unpublished("the publisher ended the stream"),
]


@pytest.mark.parametrize("step", [None, 1, 2, 1537, 1460])
@pytest.mark.parametrize("complex_handshake", [False, True])
def test_a_session(step: int | None, complex_handshake: bool) -> None:
    client, server = RtmpClient(complex_handshake), RtmpServer()
    assert fed(server, session(client), step) == EVENTS
    assert server.state is State.COMMANDS


def test_what_is_answered() -> None:
    client, server = RtmpClient(), RtmpServer()
    assert fed(server, client.greeting) == []
    hello = server.data_to_send()
    assert len(hello) == 1 + 2 * 1536 and hello[0] == 3 and hello[1537:] == client.greeting[1:]
    client.received(hello)
    assert server.data_to_send() == b""

    fed(server, client.second + client.connect())
    messages = client.received(server.data_to_send())
    assert [m.type for m in messages] == [5, 6, 4, 1, 20]
    assert messages[3].body == struct.pack(">I", CHUNK_SIZE)
    name, transaction, _, info = amf0.decode(messages[4].body)
    assert (name, transaction) == ("_result", 1)
    assert info["code"] == "NetConnection.Connect.Success"  # type: ignore[index, call-overload]

    fed(server, client.publish())
    replies = client.commands(server.data_to_send())
    assert [reply[:2] for reply in replies] == [
        ["_result", 2],
        ["_result", 3],
        ["onFCPublish", 0],
        ["_result", 4],
        ["onStatus", 0],
    ]
    assert replies[3][3] == 1
    assert replies[4][3]["code"] == "NetStream.Publish.Start"

    fed(server, client.command("deleteStream", 6, None, 1))
    (reply,) = client.commands(server.data_to_send())
    assert reply[3]["code"] == "NetStream.Unpublish.Success"


def test_reject() -> None:
    client, server = RtmpClient(), RtmpServer()
    fed(server, client.greeting + client.second + client.connect() + client.publish(), accept=False)
    server.reject_publish(description="x is already being published")
    reply = client.commands(server.data_to_send())[-1]
    assert reply[0] == "onStatus"
    assert reply[3] == {
        "level": "error",
        "code": "NetStream.Publish.BadName",
        "description": "x is already being published",
    }
    assert server.state is State.DONE
    assert fed(server, client.media(9, 0, b"v")) == []


def test_play_is_refused_politely() -> None:
    client, server = RtmpClient(), RtmpServer()
    data = client.connect() + client.command("createStream", 2, None) + client.command("play", 0, None, "x")
    fed(server, client.greeting + client.second + data)
    reply = client.commands(server.data_to_send())[-1]
    assert reply[3]["code"] == "NetStream.Play.Failed"
    assert "HTTP" in reply[3]["description"]
    assert server.state is State.DONE


def test_other_commands() -> None:
    client, server = RtmpClient(), RtmpServer()
    data = client.connect() + client.command("getStreamLength", 2, None, "x") + client.command("_checkbw", 3, None)
    data += client.command("danceForMe", 4, None) + client.command("noAnswerWanted", 0, None)
    data += client.message(MessageType.COMMAND_AMF3, b"\0" + amf0.encode("createStream", 5, None))
    fed(server, client.greeting + client.second + data)
    replies = client.commands(server.data_to_send())[1:]
    assert replies[0] == ["_result", 2, None, 0]
    assert replies[1] == ["_result", 3, None, None]
    assert replies[2][:2] == ["_error", 4]
    assert replies[3] == ["_result", 5, None, 1]


def test_enhanced_clients_are_told_the_codecs() -> None:
    client, server = RtmpClient(), RtmpServer()
    fed(server, client.greeting + client.second + client.connect(fourCcList=["hvc1"]))
    (reply,) = client.commands(server.data_to_send())
    assert "hvc1" in reply[3]["fourCcList"]


def test_a_ping_is_answered_and_bytes_are_acknowledged() -> None:
    client = RtmpClient()
    server = publishing(client)
    client.received(server.data_to_send())
    fed(server, client.message(MessageType.USER_CONTROL, b"\x00\x06\x01\x02\x03\x04", chunk_stream_id=2))
    assert client.received(server.data_to_send()) == [Message(4, 0, 0, b"\x00\x07\x01\x02\x03\x04")]
    fed(server, client.message(MessageType.WINDOW_ACK_SIZE, struct.pack(">I", 10_000), chunk_stream_id=2))
    fed(server, client.media(9, 0, bytes(9_000)))
    (acknowledgement,) = client.received(server.data_to_send())
    assert acknowledgement.type == MessageType.ACKNOWLEDGEMENT
    assert struct.unpack(">I", acknowledgement.body)[0] > 9_000


def test_timestamps_are_unwrapped_and_may_go_back() -> None:
    client = RtmpClient()
    server = publishing(client)
    stamps = [0xFFFFFF00, 0xFFFFFFF0, 0x100000010, 0xFFFFFFFF, 0x100000050, 0x170000000, 0x1E0000000, 0x1DFFFF000]
    data = b"".join(client.media(9, stamp, b"v") for stamp in stamps)
    assert [event.timestamp for event in fed(server, data) if isinstance(event, MediaTag)] == stamps


def test_timestamps_of_31_bits_are_unwrapped() -> None:
    client = RtmpClient()
    server = publishing(client)
    stamps = [0x7FFFFF00, 0x7FFFFFF0, 0x80000010, 0x7FFFFFF8, 0x80000050, 0x80000040, 0x80001000]
    data = b"".join(client.media(9, stamp & 0x7FFFFFFF, b"v") for stamp in stamps)
    assert [event.timestamp for event in fed(server, data) if isinstance(event, MediaTag)] == stamps


def test_an_aggregate_message() -> None:
    client = RtmpClient()
    server = publishing(client)

    def tag(kind: int, timestamp: int, body: bytes) -> bytes:
        head = bytes((kind,)) + len(body).to_bytes(3, "big") + timestamp.to_bytes(4, "big")[1:]
        return head + timestamp.to_bytes(4, "big")[:1] + bytes(3) + body + bytes(4)

    body = tag(9, 0x2000000, b"v") + tag(8, 0x2000005, b"aa") + tag(99, 0, b"?")
    assert fed(server, client.message(MessageType.AGGREGATE, body, 1000, 1)) == [
        MediaTag(9, 1000, b"v"),
        MediaTag(8, 1005, b"aa"),
    ]
    with pytest.raises(FormatError, match="aggregate message is truncated"):
        fed(server, client.message(MessageType.AGGREGATE, tag(9, 0, bytes(8))[:15], 1000, 1))


def test_media_before_publishing_is_ignored() -> None:
    client, server = RtmpClient(), RtmpServer()
    data = client.greeting + client.second + client.connect() + client.media(9, 0, b"v")
    assert len(fed(server, data)) == 1


def test_a_stream_may_be_published_again_on_the_same_connection() -> None:
    client = RtmpClient()
    server = publishing(client)
    fed(server, client.media(9, 5_000_000, b"v") + client.command("closeStream", 0, None))
    again = client.command("createStream", 8, None) + client.command("publish", 9, None, "y", "live", stream_id=2)
    assert fed(server, again + client.media(9, 0, b"v"))[-1] == MediaTag(9, 0, b"v")


def test_the_caller_is_held_to_the_order() -> None:
    with pytest.raises(RuntimeError):
        RtmpServer().accept_publish()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GET / HTTP/1.1\r\n", "not RTMP: version 71"),
        (b"\x06" + bytes(100), "not RTMP: version 6"),
        (b"\x16\x03\x01", "not RTMP: version 22"),
    ],
)
def test_not_rtmp(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        fed(RtmpServer(), data)


def test_hostile_messages() -> None:
    def after_handshake(make: Any) -> None:
        client, server = RtmpClient(), RtmpServer()
        fed(server, client.greeting + client.second + make(client))

    with pytest.raises(FormatError, match="the limit is"):
        after_handshake(lambda c: c.media(9, 0, bytes(MAX_UNPUBLISHED + 1)))
    with pytest.raises(FormatError, match="nothing published"):
        after_handshake(lambda c: c.media(8, 0, b"") + b"\xc4" * MAX_UNPUBLISHED)
    with pytest.raises(FormatError, match="without a name"):
        after_handshake(lambda c: c.command(5))
    with pytest.raises(FormatError, match="AMF0"):
        after_handshake(lambda c: c.message(MessageType.COMMAND, b"\x02\x00\x09co"))
    with pytest.raises(FormatError, match="second time"):
        after_handshake(lambda c: c.publish() + c.publish())


@settings(deadline=None)
@given(st.data())
def test_garbage_in_a_session(data: st.DataObject) -> None:
    client, server = RtmpClient(), RtmpServer()
    whole = bytearray(session(client))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(3073, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        fed(server, bytes(whole), data.draw(st.sampled_from([None, 100])))
    except FormatError:
        pass
    server.data_to_send()
