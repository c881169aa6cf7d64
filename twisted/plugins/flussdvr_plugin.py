"""Tells `twistd` and `twist` about flussdvr; imports nothing of it (importing klein installs a reactor)."""

from twisted.application.service import ServiceMaker

flussdvr = ServiceMaker(  # type: ignore[no-untyped-call]
    "flussdvr", "flussdvr.service", "DVR server for live streams", "flussdvr"
)
