"""
The plugin's other half: `twistd flussdvr --config FILE`, `twist flussdvr --config FILE`.

Nothing of the server is imported before the options are known: importing klein installs a reactor.
"""
# mypy: allow-untyped-calls, disallow-subclassing-any
# (twisted.python.usage is not annotated)

from __future__ import annotations

import sys
from typing import ClassVar

from twisted.application.service import IService
from twisted.python import usage

DEFAULT_CONFIG = "/etc/flussdvr/flussdvr.conf"


class Options(usage.Options):
    """What `--help` shows."""

    synopsis = "[options]"
    longdesc = (
        "Records live streams and plays any moment of them. SIGHUP reloads the configuration file, SIGTERM stops. "
        "`flussdvr check-config FILE` checks a file without starting."
    )
    optParameters: ClassVar[list[list[object]]] = [["config", "c", DEFAULT_CONFIG, "The configuration file."]]


def makeService(options: Options) -> IService:
    """The server; ends the process with every error of the configuration, if it has any."""
    from twisted.internet import reactor

    from flussdvr.config.errors import ConfigErrors
    from flussdvr.config.load import load_config
    from flussdvr.descriptors import raise_limit
    from flussdvr.monotonic_reactor import use_monotonic_time
    from flussdvr.server import Server

    path = str(options["config"])
    try:
        config = load_config(path)
    except ConfigErrors as errors:
        sys.exit("\n".join(str(error) for error in errors.errors))
    raise_limit()
    use_monotonic_time(reactor)
    server: IService = Server(reactor, path, config)
    return server
