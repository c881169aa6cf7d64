"""A publisher's connection: bytes and a clock in, a stream's calls out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure

from flussdvr.formats.flv import amf0
from flussdvr.formats.rtmp.chunks import ChunkReader, ChunkWriter, Message, MessageType
from flussdvr.ingest.publish.publications import PublishPoint, PublishPoints
from flussdvr.ingest.rtmp.listener import ADMISSION_S, Publisher, PublisherFactory, password_of, stream_names
from flussdvr.media import Codec, LeftOut, Sample, Track

AAC_CONFIG = bytes.fromhex("1190")  # LC, 48 kHz, stereo


class MemorySink:
    def __init__(self) -> None:
        self.tracks: list[tuple[Track, ...]] = []
        self.samples: list[Sample] = []
        self.lost: list[str] = []

    def tracks_received(self, tracks: Sequence[Track]) -> None:
        self.tracks.append(tuple(tracks))

    def samples_received(self, track_id: int, samples: list[Sample]) -> None:
        self.samples += samples

    def data_lost(self, reason: str, count: int) -> None: ...

    def tracks_left_out(self, left_out: Sequence[LeftOut]) -> None:
        self.left_out = [str(one) for one in left_out]

    def utc_received(self, utc_ms: int, dts: int, timescale: int) -> None: ...

    def source_lost(self, reason: str) -> None:
        self.lost.append(reason)


class Transport(StringTransportWithDisconnection):
    """Connected until somebody lets go of it."""

    def abortConnection(self) -> None:
        self.loseConnection()

    def loseConnection(self) -> None:
        if self.connected:
            super().loseConnection()


class Listener:
    """A factory, its clock, and the streams `x` (no password) and `live/pw`."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.sink, self.guarded = MemorySink(), MemorySink()
        self.points = PublishPoints()
        self.points.add(PublishPoint("x", self.sink, timeout_s=30))
        self.points.add(PublishPoint("live/pw", self.guarded, "s3cret"))
        self.factory = PublisherFactory(self.points, self.clock, **options)

    def connect(self) -> Camera:
        return Camera(self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 4711)))


class Camera:
    """A publisher, as the listener sees it."""

    def __init__(self, protocol: Publisher | None) -> None:
        assert protocol is not None
        self.protocol = protocol
        self.transport = Transport()
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        self._writer = ChunkWriter()

    @property
    def connected(self) -> bool:
        return bool(self.transport.connected)

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def message(self, kind: int, body: bytes, timestamp: int = 0) -> None:
        self.send(self._writer.write(Message(kind, 1, timestamp, body), 4))

    def command(self, *values: Any) -> None:
        self.message(MessageType.COMMAND, amf0.encode(*values))

    def publish(self, app: str, key: str, tc_url: str = "rtmp://example.net/live") -> list[Any]:
        """The server's last word to it."""
        self.send(b"\x03" + bytes(3072))
        self.command("connect", 1, {"app": app, "tcUrl": tc_url})
        self.command("createStream", 2, None)
        self.command("publish", 3, None, key, "live")
        return self.replies()[-1]

    def replies(self) -> list[list[Any]]:
        reader = ChunkReader()
        reader.receive_data(self.transport.value()[3073:])
        return [amf0.decode(m.body) for m in reader.messages() if m.type == MessageType.COMMAND]

    def sound(self, timestamp: int = 0) -> None:
        self.message(MessageType.DATA, amf0.encode("@setDataFrame", "onMetaData", {"audiocodecid": 10}))
        self.message(MessageType.AUDIO, b"\xaf\x00" + AAC_CONFIG)
        self.message(MessageType.AUDIO, b"\xaf\x01abc", timestamp)


def test_media_reaches_the_stream() -> None:
    listener = Listener()
    camera = listener.connect()
    assert camera.publish("live", "x")[3]["code"] == "NetStream.Publish.Start"
    camera.sound(1000)
    ((track,),) = listener.sink.tracks
    assert (track.codec, track.timescale, track.channels) == (Codec.AAC, 48_000, 2)
    assert listener.sink.samples == [Sample(48_000, b"abc")]
    camera.command("deleteStream", 4, None, 1)
    assert listener.sink.lost == ["the publisher ended the stream"]
    camera.transport.loseConnection()
    assert len(listener.sink.lost) == 1
    assert not listener.factory.connections
    assert not listener.clock.getDelayedCalls()


def test_a_lost_connection_is_a_lost_source() -> None:
    listener = Listener()
    camera = listener.connect()
    camera.publish("live", "x")
    camera.protocol.connectionLost(Failure(ConnectionDone()))
    assert listener.sink.lost == ["the connection was closed"]
    assert listener.points.publisher("x") is None


def test_what_was_held_back_is_delivered_at_the_end() -> None:
    listener = Listener()
    camera = listener.connect()
    camera.publish("live", "x")
    camera.message(MessageType.AUDIO, b"\xaf\x00" + AAC_CONFIG)
    camera.message(MessageType.AUDIO, b"\xaf\x01abc")
    assert not listener.sink.tracks
    camera.transport.loseConnection()
    assert len(listener.sink.tracks) == len(listener.sink.samples) == len(listener.sink.lost) == 1


def test_a_second_publisher_is_refused() -> None:
    listener = Listener()
    first, second = listener.connect(), listener.connect()
    first.publish("live", "x")
    info = second.publish("live", "x")[3]
    assert info["code"] == "NetStream.Publish.BadName"
    assert "already being published" in info["description"]
    assert first.connected and not second.connected
    first.sound()
    assert len(listener.sink.samples) == 1


@pytest.mark.parametrize(
    ("app", "key", "tc_url"),
    [
        ("live", "pw?password=s3cret", ""),
        ("live", "pw?a=b&token=s3cret", ""),
        ("live?password=s3cret", "pw", ""),
        ("live", "pw", "rtmp://h/live?password=s3cret"),
        ("live", "pw", "rtmp://user:s3cret@h/live"),
    ],
)
def test_password(app: str, key: str, tc_url: str) -> None:
    listener = Listener()
    assert listener.connect().publish(app, key, tc_url)[3]["level"] == "status"
    refused = listener.connect().publish("live", "pw?password=other", "")[3]
    assert (refused["level"], refused["code"]) == ("error", "NetStream.Publish.BadName")
    assert "s3cret" not in refused["description"]


def test_an_unknown_stream_is_named_as_the_publisher_knows_it() -> None:
    camera = Listener().connect()
    assert "live/y" in camera.publish("live", "y")[3]["description"]
    assert not camera.connected


@pytest.mark.parametrize("sent", [b"", b"\x03", b"\x03" + bytes(1536), b"\x03" + bytes(3072)])
def test_who_does_not_publish_in_time_is_dropped(sent: bytes) -> None:
    listener = Listener()
    camera = listener.connect()
    camera.send(sent)
    listener.clock.advance(ADMISSION_S - 1)
    assert camera.connected
    camera.send(b"")
    listener.clock.advance(1)
    assert not camera.connected
    assert not listener.clock.getDelayedCalls()


def test_an_idle_publisher_is_dropped() -> None:
    listener = Listener()
    camera = listener.connect()
    camera.publish("live", "x")
    for _ in range(5):
        listener.clock.pump([7, 7, 7])
        camera.sound()
    assert camera.connected
    for _ in range(3):
        listener.clock.advance(10)
        camera.message(MessageType.USER_CONTROL, b"\0\6\0\0\0\0")  # a ping is not media
    assert not camera.connected
    assert listener.sink.lost == ["no media for 30 s"]


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x03" + bytes(3072) + b"\xff" * 20])
def test_garbage_is_dropped(sent: bytes) -> None:
    camera = Listener().connect()
    camera.send(sent)
    assert not camera.connected
    camera.send(b"more")


def test_video_that_cannot_be_recorded_is_refused_in_words() -> None:
    listener = Listener()
    camera = listener.connect()
    camera.publish("live", "x")
    camera.message(MessageType.VIDEO, b"\x90vp08")
    assert camera.connected
    assert listener.sink.left_out[0].startswith("vp08 video is not recorded: send H.264")
    camera.message(MessageType.VIDEO, b"\x90vp08", 2000)
    info = camera.replies()[-1][3]
    assert info["level"] == "error"
    assert "vp08 video is not supported" in info["description"]
    assert not camera.connected
    assert len(listener.sink.lost) == 1


def test_a_removed_stream_ends_its_connection() -> None:
    listener = Listener()
    camera = listener.connect()
    camera.publish("live", "x")
    listener.points.remove("x")
    assert camera.replies()[-1][3]["description"] == "the stream has been removed"
    assert not camera.connected
    assert listener.sink.lost == ["the stream has been removed"]


def test_the_number_of_connections_is_bounded() -> None:
    listener = Listener(max_connections=1)
    camera = listener.connect()
    assert listener.factory.buildProtocol(None) is None
    camera.transport.loseConnection()
    assert listener.factory.buildProtocol(None) is not None


def test_one_address_does_not_take_all_connections() -> None:
    listener = Listener(max_connections=8)
    build = listener.factory.buildProtocol
    near, far = IPv4Address("TCP", "192.0.2.1", 4712), IPv4Address("TCP", "192.0.2.2", 1)
    camera = listener.connect()
    camera.publish("live", "x")
    assert build(near) is not None and build(near) is not None, "who publishes does not count"
    assert build(near) is None
    assert build(far) is not None


def test_a_client_that_does_not_read_is_not_read() -> None:
    camera = Listener().connect()
    assert camera.transport.producer is camera.transport
    assert camera.transport.streaming


@pytest.mark.parametrize(
    ("app", "key", "names"),
    [
        ("live", "x", ["live/x", "x"]),
        ("live", "x?password=y/z", ["live/x", "x"]),
        ("live?a=b/c", "x", ["live/x", "x"]),
        ("a/b", "c", ["a/b/c", "b/c", "c"]),
        ("live", "b/c", ["live/b/c", "b/c"]),
        ("x", "", ["x"]),
        ("", "x", ["x"]),
        ("live/", "/x%20y", ["live/x y", "x y"]),
        ("", "", []),
    ],
)
def test_stream_names(app: str, key: str, names: list[str]) -> None:
    assert list(stream_names(app, key)) == names


@pytest.mark.parametrize("tc_url", ["", "rtmp://[", "rtmp://h/live", "rtmp://h/?" + "&" * 1000])
def test_no_password(tc_url: str) -> None:
    assert password_of("x?other=1", "live", tc_url) is None
