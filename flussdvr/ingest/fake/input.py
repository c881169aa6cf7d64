"""
The built-in test source: `fake://?size=640x360&fps=25&gop=50&bframes=0&bitrate=800k&codec=h264&audio=aac`.

It shows and sounds UTC, exactly (see formats/stamp), so whoever records and plays it can see whether every moment is
where it belongs. A picture is made at the instant that it shows. What a busy moment made late is caught up with, as a
camera sends what it has kept; a machine that is too slow altogether skips pictures.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flussdvr.ingest.fake.encoder import FakeEncoder, FakeSettings
from flussdvr.ingest.producer import Pace, ProducedInput
from flussdvr.ingest.source import DEFAULT_TIMEOUT_S, InputEvent, Sink, UtcReceived
from flussdvr.media import Codec, TracksChanged
from flussdvr.process.reactors import IReactorAll

RATES = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 24, 25, 30, 36, 40, 45, 48, 50, 60)
"""Those that divide 90 000: each picture is at a whole tick, and frame 0 at each whole second."""
BATCH_S = 0.08
"""So much media goes to the reactor at a time."""
CAUGHT_UP_S = 1.0
"""So late pictures are still made."""
LATENESS_MAX_S = 2.0
"""Further off than this, the wall clock has been set or the machine has slept: begin anew."""

_SUFFIX = {"": 1, "k": 1_000, "m": 1_000_000}


class FakeInput(ProducedInput):
    """`fake://`."""

    def __init__(
        self,
        url: str,
        sink: Sink,
        reactor: IReactorAll,
        options: Mapping[str, str] | None = None,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        stream: str = "",
    ) -> None:
        super().__init__(url, sink, reactor, options, timeout_s, stream)
        self.settings = fake_settings(url, options)

    def produce(self, pace: Pace) -> str:
        return produce_fake(self.settings, self.stream, pace)


def produce_fake(settings: FakeSettings, name: str, pace: Pace) -> str:
    """Make the test source until `pace` says stop; the reason is returned."""
    begin = math.ceil(pace.now() + 0.05)  # the encoders take a moment to open
    encoder = FakeEncoder(settings, begin, name)
    batch: list[InputEvent] = []
    fps = settings.fps
    index = handed = 0
    batch_frames = max(1, round(BATCH_S * fps))
    if not pace.hand(_opening(encoder)):
        return "stopped"
    while pace.wait_until(begin + index / fps):
        late = pace.now() - begin - index / fps
        if abs(late) > LATENESS_MAX_S:
            return f"the wall clock and the test source are {late:.1f} s apart"
        batch += encoder.encode(index)
        index += 1
        if index - handed >= batch_frames and batch:
            if not pace.hand(batch):
                break
            batch, handed = [], index
        index = max(index, math.floor((pace.now() - CAUGHT_UP_S - begin) * fps))
    return "stopped"


def _opening(encoder: FakeEncoder) -> list[InputEvent]:
    track = encoder.tracks[0]
    return [
        TracksChanged(encoder.tracks),
        UtcReceived(encoder.second * 1000, encoder.second * track.timescale, track.timescale),
    ]


def fake_settings(url: str, options: Mapping[str, str] | None = None) -> FakeSettings:
    """
    The settings in a `fake://` URL's query; `options` are the words beside the URL, those not ours are others'.

    Raises `ValueError` with a sentence that names the option and what is allowed.
    """
    given = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    for name in given:
        if name not in _READERS:
            near = get_close_matches(name, _READERS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {' '.join(_READERS)}"
            raise ValueError(f"fake: there is no option {name}; {hint}")
    for name, value in (options or {}).items():
        if name in _READERS:
            given.setdefault(name, value)
    values: dict[str, Any] = {}
    for name, value in given.items():
        values |= _READERS[name](name, value)
    only_sound = values.pop("audio_only", False)
    if values.get("open_gop") and "bframes" not in values:
        values["bframes"] = 2
    settings = FakeSettings(**{**values, **({"codec": None} if only_sound else {})})
    if only_sound and not settings.audio:
        raise ValueError("fake: audio_only and audio=none leave nothing")
    if settings.open_gop and not settings.bframes:
        raise ValueError("fake: open_gop needs bframes of 1 or more")
    return settings


def _size(name: str, text: str) -> dict[str, Any]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (128 <= width <= 3840 and 72 <= height <= 2160) or width % 2 or height % 2:
        raise _refusal(name, text, "WIDTHxHEIGHT, even, from 128x72 to 3840x2160")
    return {"width": width, "height": height}


def _fps(name: str, text: str) -> dict[str, Any]:
    if not text.isascii() or not text.isdigit() or int(text) not in RATES:
        raise _refusal(name, text, "one of " + " ".join(map(str, RATES)))
    return {"fps": int(text)}


def _number(low: int, high: int) -> Callable[[str, str], dict[str, Any]]:
    def read(name: str, text: str) -> dict[str, Any]:
        if not re.fullmatch(r"[0-9]{1,6}", text) or not low <= int(text) <= high:
            raise _refusal(name, text, f"a whole number from {low} to {high}")
        return {name: int(text)}

    return read


def _bitrate(name: str, text: str) -> dict[str, Any]:
    match = re.fullmatch(r"(\d{1,8})([km]?)", text.lower())
    bitrate = int(match[1]) * _SUFFIX[match[2]] if match else 0
    if not 32_000 <= bitrate <= 50_000_000:
        raise _refusal(name, text, "bit/s from 32k to 50M, as in 800k")
    return {"bitrate": bitrate}


def _codec(name: str, text: str) -> dict[str, Any]:
    codecs = {"h264": Codec.H264, "h265": Codec.H265, "hevc": Codec.H265}
    if text.lower() not in codecs:
        raise _refusal(name, text, "h264 or h265")
    return {"codec": codecs[text.lower()]}


def _audio(name: str, text: str) -> dict[str, Any]:
    if text.lower() not in ("aac", "none"):
        raise _refusal(name, text, "aac or none")
    return {"audio": text.lower() == "aac"}


def _flag(name: str, text: str) -> dict[str, Any]:
    if text.lower() not in ("", "1", "0", "true", "false"):
        raise _refusal(name, text, "1 or 0")
    return {name: text.lower() in ("", "1", "true")}


def _refusal(name: str, text: str, allowed: str) -> ValueError:
    return ValueError(f"fake: {name}={text[:40]} is not possible; {name} is {allowed}")


_READERS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "size": _size,
    "fps": _fps,
    "gop": _number(1, 600),
    "bframes": _number(0, 4),
    "bitrate": _bitrate,
    "codec": _codec,
    "audio": _audio,
    "open_gop": _flag,
    "audio_only": _flag,
}
