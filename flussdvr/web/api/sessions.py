"""
/sessions, /sessions/{id}, /sessions/reauth: who watches.

DELETE sends a viewer away: the answers under way are broken off, and their requests are refused until their permission
would have been asked for again. Tokens are shown to those who may edit.
"""

from __future__ import annotations

from typing import Any

from flussdvr.access.admission import Admission
from flussdvr.errors import DvrError, Kind
from flussdvr.web.api.listing import page
from flussdvr.web.api.router import Call, Router

Document = dict[str, Any]
MANY = 2000
"""More are put in order by the CPU worker: a third of a second for 50 000."""
SEARCHED = ("name", "ip", "user_id", "user_agent", "token")


def add_sessions(router: Router, viewers: Admission) -> None:
    sessions = viewers.sessions

    def one(id: str) -> Any:
        session = sessions.get(id)
        if session is None:
            raise DvrError(Kind.NOT_FOUND, "session_not_found", "there is no such session", {"parameter": "id"})
        return session

    @router.get("/sessions")
    async def list_sessions(call: Call) -> Document:
        names = call.query.get("name")
        wanted = None if names is None else {names, *names.split(",")}
        chosen = [item for item in sessions if wanted is None or item.name in wanted]

        def listed() -> Document:
            documents = (item.document(call.secrets) for item in chosen)
            return page(documents, call.query, key="id", order="opened_at", searched=SEARCHED).document("sessions")

        if len(chosen) <= MANY or viewers.worker is None:
            return listed()
        return await viewers.worker.do(listed)

    @router.get("/sessions/<id>")
    async def get_session(call: Call, id: str) -> Document:
        document: Document = one(id).document(call.secrets)
        return document

    @router.delete("/sessions/<id>")
    async def delete_session(call: Call, id: str) -> None:
        viewers.send_away(one(id))

    @router.post("/sessions/reauth")
    async def reauthorize(call: Call) -> Document:
        count = viewers.reauthorize(call.query.get("name"))
        if not count:
            raise DvrError(Kind.NOT_FOUND, "session_not_found", "nobody watches that", {"parameter": "name"})
        return {"estimated_count": count}


def add_legacy_sessions(router: Router, viewers: Admission) -> None:
    @router.route("/close_sessions", "POST", text=True)
    async def close_sessions(call: Call) -> Document:
        """Ids, one a line; those that are gone already are no error."""
        ids = (call.body or b"").decode("utf-8", "replace").split()
        found = [session for id in dict.fromkeys(ids) if (session := viewers.sessions.get(id)) is not None]
        for session in found:
            viewers.send_away(session)
        return {"success": True, "closed": len(found)}

    @router.get("/sessions")
    async def list_sessions(call: Call) -> Document:
        wanted = call.query.get("name")
        chosen = [item.document(call.secrets) for item in viewers.sessions if wanted in (None, item.name)]
        return {"event": "session.list", "sessions": chosen}
