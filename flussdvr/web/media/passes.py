"""
Passes: what may be shown at the gate instead of asking the stream's authority.

    request --> pass, pass, ... --Grant--> session, without a question to anybody
                                 None--> the stream's authority, as ever
                              refused--> 403, whatever the authority would say

Whoever lets somebody in by a pass answers for it alone: a grant is asked for again at every request, and while a long
answer lasts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from flussdvr.access.verdict import Spans
from flussdvr.errors import DvrError, Kind
from flussdvr.urls.paths import MediaPath
from flussdvr.web.http.site import DvrRequest


@dataclass(frozen=True, slots=True)
class Grant:
    """
    Somebody is let in by a pass: `key` (no secret) tells his sessions from those of others, `user_id` is shown in
    sessions and events. `expires_ms`: UTC, when an answer that lasts has to be asked about, `None`: now and then.
    `spans`: what of the archive is let out, where a moment is found near the one that was asked for; `None` is all.
    """

    key: str
    user_id: str
    expires_ms: int | None = None
    spans: Spans | None = None


class Pass(Protocol):
    async def grant(self, request: DvrRequest, parsed: MediaPath) -> Grant | None:
        """
        `None`: this pass was not shown. One that browsers send unasked (a cookie) and that is not good counts as not
        shown. DvrError DENIED: shown, and not good or not for this; `Foreign` if it says nothing of this stream.
        """
        ...


class Foreign(DvrError):
    """A pass of nothing, or of another stream: it opens nothing, and closes nothing that is open to everybody."""

    def __init__(self, code: str, title: str) -> None:
        super().__init__(Kind.DENIED, code, title)


async def granted(
    passes: Iterable[Pass], request: DvrRequest, parsed: MediaPath, everybody: bool = False
) -> Grant | None:
    """What the first pass that was shown grants; raises its refusal. `everybody`: the stream is open to all."""
    for one in passes:
        try:
            grant = await one.grant(request, parsed)
        except Foreign:
            if not everybody:
                raise
        else:
            if grant is not None:
                return grant
    return None
