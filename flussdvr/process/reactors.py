# -*- test-case-name: tests.process.test_reactors -*-
"""
What parts of the server need of the reactor, where that is more than one of Twisted's interfaces.

    IReactorTimeThreads      workers         IReactorTimeFDSet     sockets that Twisted does not know
            `-- IReactorClient  HTTP clients       |
                      `------- IReactorAll --------'
"""

from __future__ import annotations

from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorFromThreads,
    IReactorSSL,
    IReactorTCP,
    IReactorTime,
)


class IReactorTimeThreads(IReactorTime, IReactorFromThreads):
    """Timers, and calls from other threads: for whoever has workers."""


class IReactorTimeFDSet(IReactorTime, IReactorFDSet):
    """Timers, and sockets that Twisted does not know."""


class IReactorClient(IReactorTimeThreads, IReactorTCP, IReactorSSL):
    """Timers, threads and connections: for HTTP clients."""


class IReactorAll(IReactorClient, IReactorTimeFDSet, IReactorCore):
    """All that the server uses: for what hands it on to parts of every kind."""
