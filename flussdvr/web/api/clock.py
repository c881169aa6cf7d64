"""
/clock: the server's time, and an operator's word on the machine's clock.
"""

from __future__ import annotations

from typing import Any

from flussdvr.clock.utc import UtcClock
from flussdvr.web.api.router import Call, Router


def add_clock(router: Router, clock: UtcClock) -> None:
    @router.get("/clock")
    async def show(call: Call) -> dict[str, Any]:
        return clock.document()

    @router.post("/clock/confirm")
    async def confirm(call: Call) -> dict[str, Any]:
        clock.confirm()
        return clock.document()
