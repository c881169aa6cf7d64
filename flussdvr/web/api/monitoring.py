# mypy: allow-untyped-calls
# (twisted.web is not annotated)
"""
/monitoring/liveness, /monitoring/readiness, /schema: for everybody, no secrets in them.

The page of the schema has its script and style in it; it runs these by their hashes and nothing else.

Live is the process; ready is one whose storage roots are all mounted and usable: 503 otherwise.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from flussdvr import __version__
from flussdvr.archive.archive import Archive
from flussdvr.errors import DvrError, Kind
from flussdvr.web.api.router import Call, Router, Text
from flussdvr.web.http.site import EVERY_PAGE

STYLE = """body{font:15px/1.4 sans-serif;margin:2em auto;max-width:60em}code{background:#eee;padding:.1em .3em}
h3{margin-bottom:.2em}"""
SCRIPT = """
fetch("schema").then(r=>r.json()).then(s=>{const add=(t,x,p)=>{const e=document.createElement(t);e.textContent=x;
(p||document.getElementById("all")).append(e);return e};
for(const[p,i]of Object.entries(s.paths))for(const[m,o]of Object.entries(i)){if(!o.responses)continue;
add("h3",m.toUpperCase()+" "+p);add("p",o.summary||"");
const l=add("ul","");for(const q of o.parameters||[]){const d=q.$ref?s.components.parameters[q.$ref.split("/").pop()]:q;
add("li",d.name+": "+(d.description||d.schema.type||""),l)}
add("p","answers: "+Object.keys(o.responses).join(", "))}})"""
PAGE = f"""<!doctype html><html lang=en><meta charset=utf-8><title>flussdvr API</title>
<style>{STYLE}</style><h1>flussdvr API</h1><p>The schema itself: <a href=schema>schema</a> (OpenAPI 3.1).</p>
<div id=all></div><script>{SCRIPT}</script>
""".encode()


def _hash(text: str) -> str:
    """What of a page's own text may run (CSP level 2)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; script-src {_hash(SCRIPT)}; style-src {_hash(STYLE)}; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def add_monitoring(router: Router, archive: Archive, now_ms: Callable[[], int]) -> None:
    started_s = now_ms() // 1000

    def status() -> dict[str, Any]:
        return {"server_version": __version__, "now": now_ms(), "started_at": started_s}

    @router.get("/monitoring/liveness", public=True)
    async def liveness(call: Call) -> dict[str, Any]:
        return status()

    @router.get("/monitoring/readiness", public=True)
    async def readiness(call: Call) -> dict[str, Any]:
        if not archive.opened:
            raise DvrError(Kind.UNAVAILABLE, "not_ready", "the archive is being opened")
        waiting = [root.path for root in archive.roots.values() if root.uuid is None or root.error is not None]
        if waiting:
            raise DvrError(Kind.UNAVAILABLE, "not_ready", f"{len(waiting)} storage roots are not usable")
        return status()

    @router.get("/schema", public=True)
    async def schema(call: Call) -> Text | dict[str, Any]:
        if router.schema is None:
            raise DvrError(Kind.NOT_FOUND, "not_found", "there is no schema")
        return Text(router.schema.data, "application/json")

    @router.get("/schema.html", public=True)
    async def browse(call: Call) -> Text:
        call.request.setHeader(b"content-security-policy", POLICY.encode())
        for header, value in EVERY_PAGE.items():
            call.request.setHeader(header, value)
        return Text(PAGE, "text/html; charset=utf-8")
