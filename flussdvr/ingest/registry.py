"""
What makes an input of a URL: the factory of each kind that `config.inputs` describes.

A new protocol is a folder here, a description there and a line in `FACTORIES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from flussdvr.config.inputs import SCHEMES, kind_of
from flussdvr.ingest.fake.input import FakeInput
from flussdvr.ingest.file.input import FileInput
from flussdvr.ingest.http.input import TsHttpInput
from flussdvr.ingest.publish.input import PublishInput
from flussdvr.ingest.source import DEFAULT_TIMEOUT_S, Input, Sink
from flussdvr.ingest.udp.input import UdpInput
from flussdvr.process.reactors import IReactorAll


class InputFactory(Protocol):
    """Makes an input that is not started. Raises `ValueError` with a sentence for the operator."""

    def __call__(
        self,
        url: str,
        sink: Sink,
        reactor: IReactorAll,
        options: Mapping[str, str] | None,
        timeout_s: float | None,
        stream: str,
        /,
    ) -> Input: ...


FACTORIES: Mapping[str, InputFactory] = {
    "udp": UdpInput,
    "tshttp": TsHttpInput,
    "publish": PublishInput,
    "file": FileInput,
    "fake": FakeInput,
}


def make_input(
    url: str,
    sink: Sink,
    reactor: IReactorAll,
    options: Mapping[str, str] | None = None,
    timeout_s: float | None = DEFAULT_TIMEOUT_S,
    stream: str = "",
) -> Input:
    """The input of a URL, not started. Raises `ValueError` with a sentence for the operator."""
    kind = kind_of(url)
    if kind is None:
        raise ValueError(f"{url}: there is no such kind of input; known are {' '.join(SCHEMES)}")
    return FACTORIES[kind.name](url, sink, reactor, options, timeout_s, stream)
