"""Each kind of input that is described is made, and the other way round."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from flussdvr.config.inputs import KINDS, SCHEMES
from flussdvr.ingest.fake.input import _READERS
from flussdvr.ingest.registry import FACTORIES, make_input
from tests.ingest.sinks import RecordingSink


def test_each_kind_that_is_described_has_a_factory_and_no_other_has() -> None:
    assert set(FACTORIES) == {kind.name for kind in KINDS}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_example_of_each_scheme_makes_an_input(scheme: str) -> None:
    kind = SCHEMES[scheme]
    url = scheme + kind.example.removeprefix(kind.schemes[0])
    assert make_input(url, RecordingSink(), Clock()).url == url


def test_the_parameters_of_the_test_source_are_described_in_the_order_that_it_reads_them() -> None:
    assert SCHEMES["fake"].parameters == tuple(_READERS)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("udp://239.0.0.1:1234", "UdpInput"),
        ("rtp://@:5004", "UdpInput"),
        ("tshttp://host/x", "TsHttpInput"),
        ("tshttps://host/x", "TsHttpInput"),
        ("file:///x.ts", "FileInput"),
        ("fake://?fps=25", "FakeInput"),
        ("publish://", "PublishInput"),
    ],
)
def test_kinds(url: str, kind: str) -> None:
    assert type(make_input(url, RecordingSink(), Clock())).__name__ == kind


@pytest.mark.parametrize("url", ["gopher://x", "x", "udp://239.0.0.1", "udp://no.such.name:1", "fake://?fps=0"])
def test_impossible_urls(url: str) -> None:
    with pytest.raises(ValueError):
        make_input(url, RecordingSink(), Clock())
