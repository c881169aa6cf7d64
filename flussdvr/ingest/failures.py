"""
Why a connection failed, in words for operators: they stand in alarms, events and the page.
"""

from __future__ import annotations

from twisted.internet import error
from twisted.python.failure import Failure

_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (error.ConnectionRefusedError, "connection refused"),
    (error.DNSLookupError, "there is no host of this name"),
    (error.UnknownHostError, "there is no host of this name"),
    (error.NoRouteError, "no route to the host"),
    (error.TCPTimedOutError, "the host does not answer"),
    (error.TimeoutError, "the host does not answer"),
    (error.ConnectionLost, "the connection has broken"),
    (error.ConnectionDone, "the connection was closed"),
)


def why(failure: Failure) -> str:
    """One clause, without a full stop."""
    for kind, words in _WORDS:
        if isinstance(failure.value, kind):
            return words
    return failure.getErrorMessage().rstrip(".")
