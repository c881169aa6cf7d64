"""
The RTMP chunk stream: messages cut into chunks, interleaved, and put together again.

    chunk = basic header   fmt (2 bits), chunk stream id (6, 14 or 22 bits)
            message header fmt 0: timestamp 3, length 3, type 1, message stream id 4 (little endian)
                           fmt 1: delta 3, length 3, type 1
                           fmt 2: delta 3
                           fmt 3: nothing; a further chunk of the message, or a message like the one before
            extended timestamp 4, if the 3-byte field is 0xffffff
            at most `chunk size` bytes of the message

Adobe's RTMP specification 1.0 §5.3, protocol control messages §5.4.  `ChunkReader` and `ChunkWriter` are each other's
inverse; Set Chunk Size and Abort act on the reader itself, because they change how the very next byte is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from flussdvr.errors import FormatError

__all__ = [
    "DEFAULT_CHUNK_SIZE",
    "MAX_CHUNK_STREAMS",
    "MAX_MESSAGE_SIZE",
    "ChunkReader",
    "ChunkWriter",
    "Message",
    "MessageType",
]

DEFAULT_CHUNK_SIZE = 128
MAX_MESSAGE_SIZE = 16 * 1024 * 1024 - 1
"""What the 24-bit length can say; a reader may be given a lower limit."""
MAX_CHUNK_STREAMS = 64
MAX_UNFINISHED = 2 * MAX_MESSAGE_SIZE
"""Bytes of begun messages over all chunk streams: a peer may not begin 64 large ones and finish none."""
EXTENDED = 0xFFFFFF
U32 = struct.Struct(">I")


class MessageType:
    """Message type ids, §5.4, §6.2, §7.1."""

    SET_CHUNK_SIZE = 1
    ABORT = 2
    ACKNOWLEDGEMENT = 3
    USER_CONTROL = 4
    WINDOW_ACK_SIZE = 5
    SET_PEER_BANDWIDTH = 6
    AUDIO = 8
    VIDEO = 9
    DATA_AMF3 = 15
    COMMAND_AMF3 = 17
    DATA = 18
    COMMAND = 20
    AGGREGATE = 22


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message. `timestamp` is 32 bits of milliseconds, as on the wire."""

    type: int
    stream_id: int
    timestamp: int
    body: bytes


class _ChunkStream:
    """What a later chunk header may leave out, and the message being put together."""

    __slots__ = ("body", "delta", "extended", "length", "stream_id", "timestamp", "type")

    def __init__(self) -> None:
        self.timestamp = self.delta = self.length = self.type = self.stream_id = 0
        self.extended: int | None = None
        self.body: bytearray | None = None


class ChunkReader:
    """Bytes in, messages out. Raises `FormatError`; it is of no use after that."""

    def __init__(self, max_message_size: int = MAX_MESSAGE_SIZE) -> None:
        self.max_message_size = max_message_size
        self.chunk_size = DEFAULT_CHUNK_SIZE
        self._buffer = bytearray()
        self._streams: dict[int, _ChunkStream] = {}
        self._unfinished = 0

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        self._buffer += data

    def messages(self) -> Iterator[Message]:
        """
        The messages that are complete, in the order in which they were completed.

        Lazy: what is decided about one message (a higher `max_message_size`) holds for the next.
        """
        position = 0
        try:
            while (end := self._read_chunk(position)) is not None:
                position, message = end
                if message is not None:
                    yield message
        finally:
            del self._buffer[:position]

    def _read_chunk(self, position: int) -> tuple[int, Message | None] | None:
        """One chunk from `position` of the buffer: where it ends and the message it completes. None: more is needed."""
        buffer = self._buffer
        basic = self._read_basic_header(position)
        if basic is None:
            return None
        fmt, chunk_stream_id, position = basic
        header_end = position + HEADER_SIZES[fmt]
        if len(buffer) < header_end:
            return None
        stream = self._streams.get(chunk_stream_id)
        if stream is None:
            if fmt == 3:
                raise FormatError(f"chunk stream {chunk_stream_id} begins without a message header")
            if len(self._streams) >= MAX_CHUNK_STREAMS:
                raise FormatError(f"more than {MAX_CHUNK_STREAMS} chunk streams")
            stream = _ChunkStream()

        begins = stream.body is None
        length, field, extended = stream.length, 0, None
        if fmt != 3:
            if not begins:
                raise FormatError(f"chunk stream {chunk_stream_id}: a message header inside of a message")
            field = int.from_bytes(buffer[position : position + 3], "big")
            if fmt != 2:
                length = int.from_bytes(buffer[position + 3 : position + 6], "big")
            if field == EXTENDED:
                if len(buffer) < header_end + 4:
                    return None
                (extended,) = U32.unpack_from(buffer, header_end)
                field = extended
                header_end += 4
        elif stream.extended is not None:
            # The standard repeats the extended timestamp here, some encoders do not: it is there if it is the same.
            if len(buffer) < header_end + 4:
                return None
            if U32.unpack_from(buffer, header_end)[0] == stream.extended:
                header_end += 4
            field = stream.delta
        else:
            field = stream.delta
        if length > self.max_message_size:
            raise FormatError(f"a message of {length} bytes, the limit is {self.max_message_size}")

        have = 0 if stream.body is None else len(stream.body)
        end = header_end + min(self.chunk_size, length - have)
        if len(buffer) < end:
            return None

        # The chunk is complete: from here on the state changes.
        if begins:
            self._streams[chunk_stream_id] = stream
            if fmt != 3:
                stream.length, stream.extended = length, extended
                if fmt != 2:
                    stream.type = buffer[position + 6]
                if fmt == 0:
                    stream.stream_id = int.from_bytes(buffer[position + 7 : position + 11], "little")
            stream.delta = field
            stream.timestamp = field if fmt == 0 else (stream.timestamp + field) & 0xFFFFFFFF
            stream.body = bytearray()
        assert stream.body is not None
        stream.body += buffer[header_end:end]
        self._unfinished += end - header_end
        if len(stream.body) < length:
            if self._unfinished > MAX_UNFINISHED:
                raise FormatError("too much data in unfinished messages")
            return end, None
        message = Message(stream.type, stream.stream_id, stream.timestamp, bytes(stream.body))
        self._drop(stream)
        self._obey(message)
        return end, message

    def _read_basic_header(self, position: int) -> tuple[int, int, int] | None:
        """fmt, chunk stream id, and where the message header begins."""
        buffer = self._buffer
        available = len(buffer) - position
        if available < 1:
            return None
        fmt, low = buffer[position] >> 6, buffer[position] & 0x3F
        if low > 1:
            return fmt, low, position + 1
        if available < 2 + low:
            return None
        if low == 0:
            return fmt, 64 + buffer[position + 1], position + 2
        return fmt, 64 + buffer[position + 1] + 256 * buffer[position + 2], position + 3

    def _drop(self, stream: _ChunkStream) -> None:
        self._unfinished -= len(stream.body or b"")
        stream.body = None

    def _obey(self, message: Message) -> None:
        if message.type not in (MessageType.SET_CHUNK_SIZE, MessageType.ABORT):
            return
        if len(message.body) < 4:
            raise FormatError(f"control message {message.type} is truncated: need 4, have {len(message.body)}")
        (value,) = U32.unpack_from(message.body)
        if message.type == MessageType.SET_CHUNK_SIZE:
            self.chunk_size = value & 0x7FFFFFFF
            if self.chunk_size == 0:
                raise FormatError("chunk size is 0")
        elif stream := self._streams.get(value):
            self._drop(stream)


HEADER_SIZES = (11, 7, 3, 0)


class ChunkWriter:
    """Messages in, bytes out: always a full header first and then fmt 3, or compressed headers if `compress`."""

    def __init__(self, compress: bool = False) -> None:
        self.chunk_size = DEFAULT_CHUNK_SIZE
        self._compress = compress
        self._last: dict[int, tuple[Message, int]] = {}

    def write(self, message: Message, chunk_stream_id: int) -> bytes:
        """The chunks of `message`; a Set Chunk Size message holds for the messages after it."""
        basic = _basic_header(chunk_stream_id)
        fmt, field = self._fmt(message, chunk_stream_id)
        extended = U32.pack(field) if field >= EXTENDED else b""
        header = (
            min(field, EXTENDED).to_bytes(3, "big")
            + len(message.body).to_bytes(3, "big")
            + bytes([message.type])
            + message.stream_id.to_bytes(4, "little")
        )[: HEADER_SIZES[fmt]]
        pieces = [bytes([basic[0] | fmt << 6]), basic[1:], header, extended, message.body[: self.chunk_size]]
        continued = bytes([basic[0] | 0xC0]) + basic[1:] + extended
        for start in range(self.chunk_size, len(message.body), self.chunk_size):
            pieces += (continued, message.body[start : start + self.chunk_size])
        self._last[chunk_stream_id] = message, field
        if message.type == MessageType.SET_CHUNK_SIZE:
            (self.chunk_size,) = U32.unpack_from(message.body)
        return b"".join(pieces)

    def _fmt(self, message: Message, chunk_stream_id: int) -> tuple[int, int]:
        """The shortest header that says it, and its timestamp or delta."""
        last, field = self._last.get(chunk_stream_id, (None, 0))
        if not self._compress or last is None or last.stream_id != message.stream_id:
            return 0, message.timestamp
        if message.timestamp < last.timestamp:
            return 0, message.timestamp
        delta = message.timestamp - last.timestamp
        if (len(last.body), last.type) != (len(message.body), message.type):
            return 1, delta
        return (3 if delta == field else 2), delta


def _basic_header(chunk_stream_id: int) -> bytes:
    if not 2 <= chunk_stream_id <= 65_599:
        raise ValueError(f"no such chunk stream id: {chunk_stream_id}")
    if chunk_stream_id < 64:
        return bytes([chunk_stream_id])
    rest = chunk_stream_id - 64
    return bytes([0, rest]) if rest < 256 else bytes([1, rest & 0xFF, rest >> 8])
