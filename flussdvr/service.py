"""
The plugin's other half: `twistd flussdvr --config FILE`, `twist flussdvr --config FILE`.

Nothing of the server is imported before the options are known: importing klein installs a reactor.
"""
# mypy: allow-untyped-calls, disallow-subclassing-any
# (twisted.python.usage is not annotated)

from __future__ import annotations

import os
import sys
from typing import Any, ClassVar, cast

from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver, textFileLogObserver
from twisted.python import usage

from flussdvr.logs.journal import is_journal, observing

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

    from flussdvr.clock.reactor import use_monotonic_time
    from flussdvr.config.errors import ConfigErrors
    from flussdvr.config.load import load_config
    from flussdvr.process.descriptors import raise_limit
    from flussdvr.process.memory import bound
    from flussdvr.process.reactors import IReactorAll
    from flussdvr.server import Server

    path = str(options["config"])
    try:
        config = load_config(path)
    except ConfigErrors as errors:
        sys.exit("\n".join(str(error) for error in errors.errors))
    raise_limit()
    bound()
    use_monotonic_time(reactor)
    return to_journal(Server(cast(IReactorAll, reactor), path, config), options.parent or {})


def to_journal(server: IService, runner: dict[str, Any]) -> IService:
    """
    Log to systemd's journal if that is where the text of `twist` or `twistd` would go.

    `runner` has their options. An observer takes the place of the one that writes text, so no line comes twice; the
    options of `twist` that choose a level still hold. What logs to a file, a terminal or syslog stays as it is.
    """
    stream = os.environ.get("JOURNAL_STREAM", "")
    if "fileLogObserverFactory" in runner:  # twist: it makes the observer after the service
        text = runner["fileLogObserverFactory"]
        if is_journal(runner["logFile"], stream):
            runner["fileLogObserverFactory"] = lambda file: observing(text(file))
    elif runner.get("nodaemon") and not any(runner.get(option) for option in ("logfile", "logger", "syslog")):
        if is_journal(sys.stdout, stream):
            logged = _Logged(observing(textFileLogObserver(sys.stdout)))
            server.setServiceParent(logged)
            return logged
    return server


class _Logged(MultiService):
    """Gives `twistd` the observer, which it looks for in the application."""

    def __init__(self, observer: ILogObserver) -> None:
        super().__init__()
        self._observer = observer

    def setServiceParent(self, parent: IService) -> None:
        parent.setComponent(ILogObserver, self._observer)  # type: ignore[attr-defined]
        super().setServiceParent(parent)
