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
from typing import Protocol

from flussdvr.access.grant import Grant
from flussdvr.errors import DvrError, Kind
from flussdvr.urls.values import MediaPath
from flussdvr.web.http.site import DvrRequest


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
