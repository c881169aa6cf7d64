# mypy: allow-untyped-calls
# (prometheus_client is annotated only in part)
"""
/metrics: for Prometheus, with the credentials of the API (basic_auth or a bearer token of view_auth or api_token).

The API shows the same with `?format=openmetrics`: /config all of it, /streams what is about streams.
"""

from __future__ import annotations

from prometheus_client.exposition import choose_encoder
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from flussdvr.monitoring.metrics import Metrics
from flussdvr.threads import Worker
from flussdvr.web.api.router import Call, Exposition, Router, Text
from flussdvr.web.http.auth import Gate

METRICS = b"/metrics"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


async def exposed(metrics: Metrics, cpu: Worker, accept: str, streams_only: bool = False) -> Text:
    """Text or OpenMetrics, as `accept` says. Written in the CPU worker."""
    encode, content_type = choose_encoder(accept)
    registry = (await metrics.gather(streams_only)).registry()
    data: bytes = await cpu.do(encode, registry)
    return Text(data, content_type)


def openmetrics(metrics: Metrics, cpu: Worker) -> Exposition:
    """For the API."""
    return lambda streams_only: exposed(metrics, cpu, OPENMETRICS, streams_only)


def metrics_resource(metrics: Metrics, cpu: Worker, gate: Gate, clock: IReactorTime) -> IResource:
    """`Accept` says whether it is text or OpenMetrics."""
    router = Router(gate, None, clock)

    @router.get("/metrics")
    async def get_metrics(call: Call) -> Text:
        return await exposed(metrics, cpu, call.request.getHeader("accept") or "")

    return router.resource()
