from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.errors import FormatError
from flussdvr.formats.codecs.aac import (
    AudioSpecificConfig,
    adts_config,
    adts_header,
    build_audio_specific_config,
    parse_adts_header,
    parse_audio_specific_config,
    split_adts,
)
from tests.formats.oracle import audio, packets


@pytest.mark.parametrize(
    ("rate", "layout", "channels"),
    [(48000, "stereo", 2), (44100, "mono", 1), (8000, "mono", 1), (48000, "5.1", 6)],
)
def test_against_ffmpeg(rate: int, layout: str, channels: int) -> None:
    adts = audio("aac", "adts", rate, layout)
    context, samples = packets(audio("aac", "mp4", rate, layout))
    config = parse_audio_specific_config(context.extradata)
    assert (config.object_type, config.sample_rate, config.channels) == (2, rate, channels)
    assert config.codec_string == "mp4a.40.2"
    assert context.extradata.startswith(build_audio_specific_config(config))
    assert adts_config(adts) == config
    frames, rest = split_adts(adts)
    assert rest == len(adts)
    assert [adts[a:b] for a, b in frames] == [bytes(sample) for sample in samples]
    for start, stop in frames:
        assert adts_header(config, stop - start)[:5] == adts[start - 7 : start - 2]
        assert parse_adts_header(adts, start - 7).samples == config.samples_per_frame == 1024


@pytest.mark.parametrize(
    ("name", "data", "config", "codec"),
    [
        ("LC", "1210", AudioSpecificConfig(2, 44100, 2), "mp4a.40.2"),
        ("LC 48", "1190", AudioSpecificConfig(2, 48000, 2), "mp4a.40.2"),
        ("HE", "2b920800", AudioSpecificConfig(2, 22050, 2, 44100), "mp4a.40.5"),
        ("HEv2", "eb8a0800", AudioSpecificConfig(2, 22050, 1, 44100, True), "mp4a.40.29"),
        ("HE backward compatible", "139056e5a0", AudioSpecificConfig(2, 22050, 2, 44100), "mp4a.40.5"),
        ("HEv2 backward compatible", "138856e5a54880", AudioSpecificConfig(2, 22050, 1, 44100, True), "mp4a.40.29"),
        ("odd rate", "17801f4010", AudioSpecificConfig(2, 16000, 2), "mp4a.40.2"),
        ("960", "1194", AudioSpecificConfig(2, 48000, 2, frame_length=960), "mp4a.40.2"),
        ("7.1", "11b8", AudioSpecificConfig(2, 48000, 8), "mp4a.40.2"),
    ],
)
def test_config(name: str, data: str, config: AudioSpecificConfig, codec: str) -> None:
    assert parse_audio_specific_config(bytes.fromhex(data)) == config
    assert config.codec_string == codec
    assert parse_audio_specific_config(build_audio_specific_config(config)) == config


def program_config(comment: bytes = b"") -> str:
    """One front pair and one front single element, an LFE."""
    bits = "0000" + "01" + "0011" + "0010" + "0000" + "0000" + "01" + "000" + "0000" + "000"
    return bits + "1" + "0000" + "0" + "0000" + "0000"


def test_program_config() -> None:
    config = AudioSpecificConfig(2, 48000, 4, program_config=program_config())
    data = build_audio_specific_config(config)
    assert parse_audio_specific_config(data) == config
    # The same in band, behind an ADTS header without a channel configuration.
    bits = "101" + config.program_config
    bits += "0" * (-len(bits) & 7) + "00000000"
    frame = int(bits, 2).to_bytes(len(bits) // 8, "big")
    adts = adts_header(config, len(frame)) + frame
    assert parse_adts_header(adts).channel_configuration == 0
    assert adts_config(adts) == config


def test_dual_mono_is_two_channels() -> None:
    header = adts_header(AudioSpecificConfig(2, 48000, 4, program_config=program_config()), 4)
    assert adts_config(header + bytes(4)) == AudioSpecificConfig(2, 48000, 2)


LC = AudioSpecificConfig(2, 48000, 2)
BODIES = st.lists(st.binary(min_size=1, max_size=60), min_size=2, max_size=8)


def frames_of(bodies: list[bytes]) -> bytes:
    return b"".join(adts_header(LC, len(body)) + body for body in bodies)


@given(BODIES)
def test_split(bodies: list[bytes]) -> None:
    data = frames_of(bodies)
    frames, rest = split_adts(data)
    assert [data[a:b] for a, b in frames] == bodies and rest == len(data)


@given(BODIES)
def test_split_byte_by_byte(bodies: list[bytes]) -> None:
    got, kept = [], b""
    for byte in frames_of(bodies):
        kept += bytes([byte])
        frames, rest = split_adts(kept)
        got += [kept[a:b] for a, b in frames]
        kept = kept[rest:]
    assert got == bodies and not kept


@given(st.binary(max_size=50).filter(lambda data: b"\xff" not in data), BODIES)
def test_resynchronises(garbage: bytes, bodies: list[bytes]) -> None:
    data = garbage + frames_of(bodies)
    frames, _ = split_adts(data)
    assert [data[a:b] for a, b in frames] == bodies


def test_false_syncword_in_front() -> None:
    data = b"\xff\xf1\x4c\x80\x01\x5f\xfc" + b"x" * 9 + frames_of([b"abc", b"defg"])
    assert [data[a:b] for a, b in split_adts(data)[0]] == [b"abc", b"defg"]


def test_crc_is_left_out() -> None:
    data = bytearray(adts_header(LC, 5) + b"CCabc")
    data[1] &= 0xFE
    assert split_adts(bytes(data)) == ([(9, 12)], 12)
    assert parse_adts_header(bytes(data)).header_length == 9


def test_what_adts_cannot_say() -> None:
    for config, size in ((LC, 9000), (AudioSpecificConfig(6, 48000, 2), 9), (AudioSpecificConfig(2, 47999, 2), 9)):
        with pytest.raises(FormatError):
            adts_header(config, size)


@given(st.binary(max_size=64))
def test_garbage(data: bytes) -> None:
    frames, rest = split_adts(data)
    assert 0 <= rest <= len(data)
    assert all(0 < a <= b <= len(data) for a, b in frames)
    for call in (parse_audio_specific_config, parse_adts_header, adts_config):
        for front in (b"", b"\xff\xf1", b"\x10\x00", b"\x2b\x92"):
            try:
                call(front + data)
            except FormatError:
                pass


@given(st.binary(max_size=64))
def test_what_parses_can_be_built(data: bytes) -> None:
    try:
        config = parse_audio_specific_config(data)
    except FormatError:
        return
    if not config.program_config and (config.sbr_sample_rate or not config.ps):
        assert parse_audio_specific_config(build_audio_specific_config(config)) == config
