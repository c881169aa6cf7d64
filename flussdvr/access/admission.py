"""What an administrator does about those who watch, whatever they watch over."""

from __future__ import annotations

from typing import Protocol

from flussdvr.access.sessions import Session, Sessions
from flussdvr.threads import Worker


class Admission(Protocol):
    """The gate, as the API needs it. In the reactor."""

    sessions: Sessions
    worker: Worker | None
    """For what takes long, such as sorting many sessions."""

    def send_away(self, session: Session) -> None:
        """Break off what is sent, and refuse what is asked for, until the viewer would have been decided anew."""
        ...

    def withdraw(self, key: str) -> int:
        """End the sessions that a grant of this key let in; how many there were."""
        ...

    def reauthorize(self, name: str | None) -> int:
        """Have all sessions of a stream, or of all, decided anew; how many there are."""
        ...
