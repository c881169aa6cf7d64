"""What the server asks of a reactor, the one that runs has."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import Clock
from zope.interface.interface import InterfaceClass

from flussdvr.process.reactors import IReactorAll, IReactorClient, IReactorTimeFDSet, IReactorTimeThreads


def of_twisted(interface: InterfaceClass) -> set[InterfaceClass]:
    """The interfaces of Twisted that it is made of."""
    return {one for one in interface.__iro__ if one.__module__ == "twisted.internet.interfaces"}


def test_a_reactor_has_all_that_the_server_asks_for() -> None:
    assert {one for one in of_twisted(IReactorAll) if not one.providedBy(reactor)} == set()


def test_what_is_asked_of_a_part_is_asked_of_the_whole() -> None:
    for part in (IReactorTimeThreads, IReactorTimeFDSet, IReactorClient):
        assert IReactorAll.extends(part) and of_twisted(part) < of_twisted(IReactorAll)


def test_a_clock_is_no_reactor() -> None:
    assert {one.__name__ for one in of_twisted(IReactorAll) if one.providedBy(Clock())} == {"IReactorTime"}
