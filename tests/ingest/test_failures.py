import pytest
from twisted.internet import error
from twisted.python.failure import Failure

from flussdvr.ingest.failures import why


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (error.ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (error.DNSLookupError("no results"), "there is no host of this name"),
        (error.TCPTimedOutError(110, "Connection timed out"), "the host does not answer"),
        (error.TimeoutError(), "the host does not answer"),
        (error.ConnectionLost(), "the connection has broken"),
        (error.ConnectionDone(), "the connection was closed"),
        (OSError("Something else."), "Something else"),
    ],
)
def test_words(told: Exception, words: str) -> None:
    assert why(Failure(told)) == words
