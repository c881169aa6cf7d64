"""
/events, /alarms: what has happened, and what is wrong now.
"""

from __future__ import annotations

from typing import Any

from flussdvr.events.events import Events
from flussdvr.monitoring.alarms import Alarms
from flussdvr.web.api.listing import read_limit
from flussdvr.web.api.router import Call, Router

Document = dict[str, Any]


def add_events(router: Router, events: Events) -> None:
    @router.get("/events")
    async def list_events(call: Call) -> Document:
        query = call.query
        names = {name for name in query.get("event", "").split(",") if name}
        found = events.history.find(read_limit(query.get("limit")), query.get("after"), names, query.get("media"))
        return {"events": found, "server_started_at": events.started_ms}


def add_alarms(router: Router, alarms: Alarms) -> None:
    @router.get("/alarms")
    async def list_alarms(call: Call) -> Document:
        return {"alarms": [alarm.document() for alarm in alarms.now()]}
