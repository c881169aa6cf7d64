"""
/metrics: for Prometheus, with the credentials of the API (basic_auth or a bearer token of view_auth or api_token).
"""

from __future__ import annotations

from prometheus_client.exposition import choose_encoder
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from flussdvr.metrics import Metrics
from flussdvr.threads import Worker
from flussdvr.web.api.router import Call, Router, Text
from flussdvr.web.auth import Gate

METRICS = b"/metrics"


def metrics_resource(metrics: Metrics, cpu: Worker, gate: Gate, clock: IReactorTime) -> IResource:
    """Text or OpenMetrics, as `Accept` says. Written in the CPU worker."""
    router = Router(gate, None, clock)

    @router.get("/metrics")
    async def get_metrics(call: Call) -> Text:
        encode, content_type = choose_encoder(call.request.getHeader("accept") or "")
        registry = (await metrics.gather()).registry()
        data: bytes = await cpu.do(encode, registry)
        return Text(data, content_type)

    return router.resource()
