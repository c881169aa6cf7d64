# -*- test-case-name: tests.control.test_reloads -*-
"""
When the configuration is read again.

    SIGHUP --ask--> [wanted] --started, none under way--> reload --> RELOADING=1 ... READY=1
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.logger import Logger

from flussdvr.process.callbacks import background
from flussdvr.process.systemd import notify, reloading


class Reloads:
    """
    One reload at a time, and none before the server has started.

    `reload()` does it. What is asked for during the start or another reload is done once after it: the file may have
    changed since it was read. Only in the reactor thread.
    """

    log = Logger()

    def __init__(self, reload: Callable[[], Awaitable[None]]) -> None:
        self._reload = reload
        self._started = False
        self._wanted = False
        self._running = False

    def started(self) -> None:
        """The server has started: what was asked for meanwhile is done now."""
        self._started = True
        if self._wanted:
            self.ask()

    def stop(self) -> None:
        """None from now on."""
        self._started = self._wanted = False

    def ask(self) -> None:
        """Reload as soon as that is possible."""
        self._wanted = True
        if self._started and not self._running:
            background(self._run(), self.log, "reloading the configuration")

    async def _run(self) -> None:
        self._running = True
        try:
            while self._wanted:
                self._wanted = False
                reloading()
                try:
                    await self._reload()
                except Exception:
                    self.log.failure("reloading")
                notify("READY=1")
        finally:
            self._running = False
