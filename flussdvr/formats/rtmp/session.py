"""
RTMP, the side that is published to.

    client                        server                         state afterwards
    C0 C1                         S0 S1 S2                       HANDSHAKE -> COMMANDS
    C2, connect                   window, chunk size, _result    COMMANDS          event Connected
    createStream                  _result(1)
    publish                                                      ASKED             event PublishRequested
                                  onStatus Publish.Start         PUBLISHING        by accept_publish()
                                  onStatus error                 DONE              by reject_publish()
    audio, video, @setDataFrame                                                    event MediaTag
    deleteStream, closeStream     onStatus Unpublish.Success     COMMANDS          event Unpublished

Adobe's RTMP specification 1.0, with the commands that FMLE, librtmp, FFmpeg and OBS send besides.  Sans-I/O: bytes go
in by `receive_data`, `events` says what they mean, `data_to_send` is to be written after that.  Bytes that are not
RTMP raise `FormatError` from `events`; the connection is then of no use.

The handshake is the simple one. Clients of the "complex" one (a digest in C1) accept its answer when they publish:
they check the server's digest only before playing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from flussdvr.errors import FormatError
from flussdvr.formats.flv import amf0
from flussdvr.formats.rtmp.chunks import MAX_MESSAGE_SIZE, ChunkReader, ChunkWriter, Message, MessageType

__all__ = ["Connected", "Event", "MediaTag", "PublishRequested", "RtmpServer", "State", "Unpublished"]

VERSION = 3
HANDSHAKE_SIZE = 1536
CHUNK_SIZE = 65_536
"""What we send. FFmpeg then uses the same size, and few chunks are cheaper to read."""
WINDOW = 2_500_000
MAX_UNPUBLISHED = 64 * 1024
"""Bytes of commands between two publications: nobody may keep us busy who has not been let in."""
MAX_STREAM_ID = 64
FOURCCS: list[amf0.Value] = ["avc1", "hvc1", "mp4a", ".mp3", "ac-3", "ec-3"]
SET_DATA_FRAME = amf0.encode("@setDataFrame")
HALF = 1 << 31
WRAP_MS = 60_000
"""A step this near to half of the timestamps' range is a wrap of an encoder that counts in 31 bits."""
U32 = struct.Struct(">I")


class State(Enum):
    HANDSHAKE = "handshake"
    COMMANDS = "commands"
    ASKED = "asked"
    PUBLISHING = "publishing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Connected:
    """The client has named its application."""

    app: str
    """May carry a query: `live?password=x`."""
    tc_url: str
    params: Mapping[str, amf0.Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublishRequested:
    """The client waits for `accept_publish` or `reject_publish`."""

    app: str
    stream_key: str
    """The name as sent, its query included."""
    tc_url: str


@dataclass(frozen=True, slots=True)
class MediaTag:
    """The body of an FLV tag."""

    type: int
    """8 audio, 9 video, 18 script data."""
    timestamp: int
    """Milliseconds, unwrapped beyond 32 bits; it may go backwards."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Unpublished:
    """The publisher has ended its stream; the connection may go on."""

    reason: str


Event = Connected | PublishRequested | MediaTag | Unpublished


class RtmpServer:
    """One connection. `state` is `DONE` when it is to be closed once `data_to_send` has been written."""

    def __init__(self) -> None:
        self.state = State.HANDSHAKE
        self.app = self.tc_url = ""
        self._handshake = bytearray()
        self._greeted = False
        self._reader = ChunkReader(MAX_UNPUBLISHED)
        self._writer = ChunkWriter()
        self._out = bytearray()
        self._stream_id = 0
        self._last_stream_id = 0
        self._last_timestamp: int | None = None
        self._received = self._acknowledged = 0
        self._unpublished = 0
        self._window: int | None = None

    # bytes

    def receive_data(self, data: bytes) -> None:
        """Bytes from the client; `events` looks at them."""
        if self.state is State.DONE:
            return
        self._received += len(data)
        self._unpublished += len(data)
        if self.state is State.HANDSHAKE:
            self._handshake += data
        else:
            self._reader.receive_data(data)

    def data_to_send(self) -> bytes:
        """Bytes for the client, each once."""
        # Only clients that ask are told: bytes that arrive after a client has closed its socket make its kernel throw
        # away what it has yet to send us, and FFmpeg publishing a file is long gone when we acknowledge its end.
        if self._window is not None and self._received - self._acknowledged >= self._window // 2:
            self._acknowledged = self._received
            self._control(MessageType.ACKNOWLEDGEMENT, U32.pack(self._received & 0xFFFFFFFF))
        data = bytes(self._out)
        self._out.clear()
        return data

    def events(self) -> Iterator[Event]:
        """
        What has been received, one event after the other.

        Lazy: answer a `PublishRequested` before asking for the next event. Raises `FormatError`.
        """
        if self.state is State.HANDSHAKE and not self._shake_hands():
            return
        for message in self._reader.messages():
            yield from self._on_message(message)
            if self.state is State.DONE:
                return
        if self.state is State.PUBLISHING:
            self._unpublished = 0
        elif self._unpublished > MAX_UNPUBLISHED:
            raise FormatError(f"{self._unpublished} bytes and nothing published")

    def _shake_hands(self) -> bool:
        """C0 C1 -> S0 S1 S2, then wait for C2. True when it has come."""
        data = self._handshake
        if data and data[0] != VERSION:
            raise FormatError(f"not RTMP: version {data[0]} ({bytes(data[:8])!r})")
        if len(data) >= 1 + HANDSHAKE_SIZE and not self._greeted:
            # S1 is time 0, version 0 and "random" bytes that nobody looks at; S2 echoes C1.
            self._out += bytes([VERSION]) + bytes(8) + b"flussdvr" * 191 + data[1 : 1 + HANDSHAKE_SIZE]
            self._greeted = True
        if len(data) < 1 + 2 * HANDSHAKE_SIZE:
            return False
        self.state = State.COMMANDS
        self._reader.receive_data(data[1 + 2 * HANDSHAKE_SIZE :])
        data.clear()
        return True

    # what the caller decides

    def accept_publish(self) -> None:
        """Let the client that asked publish."""
        self._expect(State.ASKED)
        self.state = State.PUBLISHING
        self._reader.max_message_size = MAX_MESSAGE_SIZE
        self._user_control(0, self._stream_id)
        self._on_status("NetStream.Publish.Start", "Publishing.")

    def reject_publish(self, code: str = "NetStream.Publish.BadName", description: str = "") -> None:
        """Turn the client that asked away; the connection is `DONE`."""
        self._expect(State.ASKED)
        self.close(code, description)

    def close(self, code: str = "NetConnection.Connect.Closed", description: str = "") -> None:
        """End it from our side, with a last word to the client."""
        if self.state in (State.ASKED, State.PUBLISHING, State.COMMANDS):
            self._on_status(code, description, "error")
        self.state = State.DONE

    def _expect(self, state: State) -> None:
        if self.state is not state:
            raise RuntimeError(f"the connection is in state {self.state.value}, not {state.value}")

    # messages

    def _on_message(self, message: Message) -> Iterator[Event]:
        kind, body = message.type, message.body
        if kind in (MessageType.AUDIO, MessageType.VIDEO, MessageType.DATA):
            yield from self._on_media(kind, message.timestamp, body)
        elif kind == MessageType.AGGREGATE:
            yield from self._on_aggregate(message)
        elif kind == MessageType.COMMAND:
            yield from self._on_command(amf0.decode(body), message.stream_id)
        elif kind == MessageType.COMMAND_AMF3:  # a format byte, 0, and then the same AMF0
            yield from self._on_command(amf0.decode(body[1:]), message.stream_id)
        elif kind == MessageType.DATA_AMF3:
            yield from self._on_media(MessageType.DATA, message.timestamp, body[1:])
        elif kind == MessageType.WINDOW_ACK_SIZE and len(body) >= 4:
            self._window = max(U32.unpack_from(body)[0], 1024)
        elif kind == MessageType.USER_CONTROL and body[:2] == b"\0\6":
            self._user_control(7, *U32.unpack(body[2:6].ljust(4, b"\0")))  # ping

    def _on_media(self, kind: int, timestamp: int, body: bytes) -> Iterator[Event]:
        if self.state is not State.PUBLISHING:
            return
        yield MediaTag(kind, self._unwrapped(timestamp), body.removeprefix(SET_DATA_FRAME))

    def _unwrapped(self, timestamp: int) -> int:
        """The timestamp nearest to the last one whose low 32 bits are these, or low 31 bits: FFmpeg has no more."""
        last = self._last_timestamp
        if last is not None:
            step = ((timestamp - last + HALF) & 0xFFFFFFFF) - HALF
            if abs(step) > HALF - WRAP_MS:
                step -= HALF if step > 0 else -HALF
            timestamp = last + step
        self._last_timestamp = timestamp
        return timestamp

    def _on_aggregate(self, message: Message) -> Iterator[Event]:
        """FLV tags in one message, §7.1.6; the first has the message's timestamp and the rest follow it."""
        body, position, offset = message.body, 0, None
        while position + 11 <= len(body):
            size = int.from_bytes(body[position + 1 : position + 4], "big")
            timestamp = int.from_bytes(body[position + 4 : position + 7], "big") | body[position + 7] << 24
            end = position + 11 + size
            if end > len(body):
                raise FormatError(f"aggregate message is truncated: need {end}, have {len(body)}")
            if offset is None:
                offset = message.timestamp - timestamp
            if body[position] in (MessageType.AUDIO, MessageType.VIDEO, MessageType.DATA):
                tag = body[position + 11 : end]
                yield from self._on_media(body[position], (timestamp + offset) & 0xFFFFFFFF, tag)
            position = end + 4

    # commands

    def _on_command(self, values: list[amf0.Value], stream_id: int) -> Iterator[Event]:
        name = values[0] if values else None
        if not isinstance(name, str):
            raise FormatError("a command without a name")
        transaction = values[1] if len(values) > 1 and isinstance(values[1], float) else 0.0
        respond = COMMANDS.get(name)
        if respond is not None:
            yield from respond(self, transaction, values[2:], stream_id)
        elif transaction and not name.startswith("_"):
            info = _info("NetConnection.Call.Failed", f"{name} is not offered", "error")
            self._command("_error", transaction, None, info)

    def _connect(self, transaction: float, arguments: list[amf0.Value], stream_id: int) -> Iterator[Event]:
        params = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        self.app, self.tc_url = _text(params.get("app")), _text(params.get("tcUrl"))
        self._control(MessageType.WINDOW_ACK_SIZE, U32.pack(WINDOW))
        self._control(MessageType.SET_PEER_BANDWIDTH, U32.pack(WINDOW) + b"\2")
        self._user_control(0, 0)
        self._control(MessageType.SET_CHUNK_SIZE, U32.pack(CHUNK_SIZE))
        info = _info("NetConnection.Connect.Success", "Connection succeeded.") | {"objectEncoding": 0}
        server: dict[str, amf0.Value] = {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31}
        if "fourCcList" in params:  # Enhanced RTMP
            info["fourCcList"] = FOURCCS
        self._command("_result", transaction, server, info)
        yield Connected(self.app, self.tc_url, params)

    def _create_stream(self, transaction: float, arguments: list[amf0.Value], stream_id: int) -> Iterator[Event]:
        self._last_stream_id = self._last_stream_id % MAX_STREAM_ID + 1
        self._command("_result", transaction, None, self._last_stream_id)
        yield from ()

    def _publish(self, transaction: float, arguments: list[amf0.Value], stream_id: int) -> Iterator[Event]:
        if self.state is not State.COMMANDS:
            raise FormatError("publish for a second time on one connection")
        self._stream_id = stream_id
        self.state = State.ASKED
        yield PublishRequested(self.app, _text(arguments[1] if len(arguments) > 1 else None), self.tc_url)

    def _fc_publish(self, transaction: float, arguments: list[amf0.Value], stream_id: int) -> Iterator[Event]:
        self._command("_result", transaction, None, None)
        self._command("onFCPublish", 0, None, _info("NetStream.Publish.Start", "FCPublish"))
        yield from ()

    def _acknowledge(self, transaction: float, arguments: list[amf0.Value], stream_id: int) -> Iterator[Event]:
        if transaction:
            self._command("_result", transaction, None, None)
        yield from ()

    def _stream_length(self, transaction: float, arguments: list[amf0.Value], stream_id: int) -> Iterator[Event]:
        self._command("_result", transaction, None, 0)
        yield from ()

    def _unpublish(self, transaction: float, arguments: list[amf0.Value], stream_id: int) -> Iterator[Event]:
        if self.state is State.PUBLISHING:
            self.state = State.COMMANDS
            self._reader.max_message_size = MAX_UNPUBLISHED
            self._last_timestamp = None
            self._on_status("NetStream.Unpublish.Success", "Stream is now unpublished.")
            yield Unpublished("the publisher ended the stream")

    def _play(self, transaction: float, arguments: list[amf0.Value], stream_id: int) -> Iterator[Event]:
        self._stream_id = stream_id
        description = "Playing over RTMP is not offered here: play the stream over HTTP (HLS, MP4)."
        self.close("NetStream.Play.Failed", description)
        yield from ()

    # replies

    def _control(self, kind: int, body: bytes) -> None:
        self._out += self._writer.write(Message(kind, 0, 0, body), 2)

    def _user_control(self, event: int, value: int) -> None:
        self._control(MessageType.USER_CONTROL, struct.pack(">HI", event, value))

    def _command(self, *values: amf0.Value, stream_id: int = 0) -> None:
        self._out += self._writer.write(Message(MessageType.COMMAND, stream_id, 0, amf0.encode(*values)), 3)

    def _on_status(self, code: str, description: str, level: str = "status") -> None:
        self._command("onStatus", 0, None, _info(code, description, level), stream_id=self._stream_id)


def _info(code: str, description: str, level: str = "status") -> dict[str, amf0.Value]:
    return {"level": level, "code": code, "description": description}


def _text(value: amf0.Value) -> str:
    return value if isinstance(value, str) else ""


Command = Callable[[RtmpServer, float, list[amf0.Value], int], Iterator[Event]]

COMMANDS: dict[str, Command] = {
    "connect": RtmpServer._connect,
    "createStream": RtmpServer._create_stream,
    "publish": RtmpServer._publish,
    "releaseStream": RtmpServer._acknowledge,
    "FCPublish": RtmpServer._fc_publish,
    "FCUnpublish": RtmpServer._unpublish,
    "deleteStream": RtmpServer._unpublish,
    "closeStream": RtmpServer._unpublish,
    "_checkbw": RtmpServer._acknowledge,
    "getStreamLength": RtmpServer._stream_length,
    "play": RtmpServer._play,
    "play2": RtmpServer._play,
}
