"""The chunk stream: what the writer writes the reader reads, and what other writers write."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.rtmp.chunks import MAX_CHUNK_STREAMS, ChunkReader, ChunkWriter, Message, MessageType


def read(data: bytes, reader: ChunkReader | None = None, step: int | None = None) -> list[Message]:
    reader = reader or ChunkReader()
    messages = []
    for start in range(0, len(data), step or max(1, len(data))):
        reader.receive_data(data[start : start + (step or len(data))])
        messages += list(reader.messages())
    return messages


def header(fmt: int, chunk_stream_id: int, timestamp: int, length: int, type_: int = 9, stream_id: int = 1) -> bytes:
    whole = timestamp.to_bytes(3, "big") + length.to_bytes(3, "big") + bytes([type_]) + struct.pack("<I", stream_id)
    return bytes([fmt << 6 | chunk_stream_id]) + whole[: (11, 7, 3, 0)[fmt]]


def set_chunk_size(size: int) -> bytes:
    return header(0, 2, 0, 4, MessageType.SET_CHUNK_SIZE, 0) + struct.pack(">I", size)


messages_of_streams = st.lists(
    st.tuples(
        st.sampled_from([3, 4, 63, 64, 319, 320, 65_599]),
        st.builds(
            Message,
            type=st.sampled_from([8, 9, 18]),
            stream_id=st.sampled_from([0, 1]),
            timestamp=st.integers(0, 0xFFFFFFFF) | st.sampled_from([0, 40, 80, 120, 0xFFFFFE, 0xFFFFFF, 0x1000000]),
            body=st.binary(max_size=20) | st.binary(min_size=300, max_size=300),
        ),
    ),
    max_size=12,
)


@given(messages_of_streams, st.booleans(), st.sampled_from([None, 1, 7]), st.sampled_from([None, 1, 100, 5000]))
def test_round_trip(items: list[tuple[int, Message]], compress: bool, step: int | None, chunk_size: int | None) -> None:
    writer = ChunkWriter(compress)
    data, expected = b"", []
    if chunk_size:
        expected.append(Message(MessageType.SET_CHUNK_SIZE, 0, 0, struct.pack(">I", chunk_size)))
        data += writer.write(expected[0], 2)
    data += b"".join(writer.write(message, chunk_stream_id) for chunk_stream_id, message in items)
    expected += [message for _, message in items]
    assert read(data, step=step) == expected


def test_the_four_headers() -> None:
    data = header(0, 4, 1000, 2) + b"aa" + header(1, 4, 40, 1, 8) + b"b" + header(2, 4, 20, 0) + b"c"
    data += header(3, 4, 0, 0) + b"d"
    assert read(data) == [
        Message(9, 1, 1000, b"aa"),
        Message(8, 1, 1040, b"b"),
        Message(8, 1, 1060, b"c"),
        Message(8, 1, 1080, b"d"),
    ]


def test_a_type_3_header_after_type_0_repeats_the_timestamp_as_delta() -> None:
    assert [m.timestamp for m in read(header(0, 4, 30, 1) + b"a" + header(3, 4, 0, 0) + b"b")] == [30, 60]


def test_messages_interleave() -> None:
    data = header(0, 4, 0, 200) + b"v" * 128 + header(0, 5, 7, 3, 8) + b"aaa" + header(3, 4, 0, 0) + b"v" * 72
    assert read(data) == [Message(8, 1, 7, b"aaa"), Message(9, 1, 0, b"v" * 200)]


@pytest.mark.parametrize("repeated", [True, False])
def test_extended_timestamp_is_repeated_or_not(repeated: bool) -> None:
    extended = struct.pack(">I", 0x01020304)
    data = header(0, 4, 0xFFFFFF, 130) + extended + b"v" * 128 + header(3, 4, 0, 0) + extended * repeated + b"vv"
    data += header(1, 4, 40, 1) + b"w"
    assert read(data, step=1) == [Message(9, 1, 0x01020304, b"v" * 130), Message(9, 1, 0x0102032C, b"w")]


def test_a_delta_wraps_at_32_bits() -> None:
    data = header(0, 4, 0xFFFFFF, 1) + b"\xff\xff\xff\xf0" + b"a" + header(1, 4, 32, 1) + b"b"
    assert [m.timestamp for m in read(data)] == [0xFFFFFFF0, 0x10]


def test_abort_drops_what_was_begun() -> None:
    data = header(0, 4, 0, 200) + b"v" * 128 + header(0, 2, 0, 4, MessageType.ABORT, 0) + struct.pack(">I", 4)
    data += header(0, 4, 5, 1) + b"w"
    assert read(data)[1:] == [Message(9, 1, 5, b"w")]


def test_set_chunk_size_holds_for_the_next_chunk() -> None:
    data = header(0, 4, 0, 200) + b"v" * 128 + set_chunk_size(10) + header(3, 4, 0, 0) + b"v" * 10
    data += b"".join(header(3, 4, 0, 0) + b"v" * size for size in (10,) * 6 + (2,))
    assert read(data)[1] == Message(9, 1, 0, b"v" * 200)


def test_the_limit_may_change_between_messages() -> None:
    reader = ChunkReader(max_message_size=10)
    reader.receive_data(header(0, 4, 0, 10) + b"v" * 10 + header(0, 4, 0, 11) + b"w" * 11)
    messages = reader.messages()
    next(messages)
    reader.max_message_size = 11
    assert next(messages).body == b"w" * 11


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(3, 4, 0, 0), "begins without a message header"),
        (header(0, 4, 0, 1000), "1000 bytes, the limit is 999"),
        (header(0, 4, 0, 200) + bytes(128) + header(1, 4, 0, 200), "inside of a message"),
        (set_chunk_size(0), "chunk size is 0"),
        (set_chunk_size(1 << 31), "chunk size is 0"),
        (header(0, 2, 0, 3, MessageType.SET_CHUNK_SIZE) + bytes(3), "truncated"),
        (
            b"".join(header(0, n, 0, 0) for n in range(2, 64)) + b"\0\0" + bytes(11) + b"\0\1" + bytes(11) + b"\0\2",
            "more than",
        ),
    ],
)
def test_hostile(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(data + bytes(16), ChunkReader(max_message_size=999))


def test_many_begun_messages_are_bounded() -> None:
    reader = ChunkReader()
    reader.receive_data(set_chunk_size(1 << 20))
    with pytest.raises(FormatError, match="unfinished"):
        for chunk_stream_id in range(3, MAX_CHUNK_STREAMS):
            reader.receive_data(header(0, chunk_stream_id, 0, 0xFFFFFF) + bytes(1 << 20))
            list(reader.messages())


@given(st.binary(max_size=400))
def test_garbage(data: bytes) -> None:
    try:
        read(data)
    except FormatError:
        pass
