"""50 000 viewers at once: the memory of their sessions, and what the timer that finds the silent ones costs."""

from __future__ import annotations

import sys
import time
import tracemalloc

from twisted.internet.task import Clock

from bench.measure import Result
from flussdvr.access.authority import Authority
from flussdvr.access.sessions import IDLE_S, Held, Session, Sessions
from flussdvr.access.verdict import Verdict
from flussdvr.config.model import AuthSettings

VIEWERS = 50_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"


def viewer(number: int, authority: Authority) -> Session:
    """Each with texts of its own, as requests bring them: nothing is shared."""
    id, token = f"{number:040x}", f"{number:040x}-token"
    session = Session(id, f"stream{number % 100}", "hls", number, number, f"10.0.{number >> 8}.{number & 255}", token)
    session.user_agent, session.query = f"{AGENT} {number}", f"token={token}"
    session.referer, session.country = f"https://tv.example/channel/{number}", "AT"
    session.live = session.archive = Held(Verdict(True, 180, f"user{number}", 3), authority, 180.0 + number)
    return session


def run() -> list[Result]:
    clock = Clock()
    sessions = Sessions(clock, lambda: int(clock.seconds() * 1000))
    authority = Authority(AuthSettings("http://127.0.0.1/"))
    tracemalloc.start()
    for number in range(VIEWERS):
        session = viewer(number, authority)
        sessions.add(session)
        sessions.belongs(session, f"user{number}")
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    clock.advance(IDLE_S / 2)
    for session in list(sessions):
        sessions.seen(session)
    begin = time.perf_counter()
    clock.advance(IDLE_S / 2)  # the timer looks, and nobody has been silent for long enough
    looked_s = time.perf_counter() - begin
    if len(sessions) != VIEWERS:
        sys.exit("sessions have been lost")
    return [
        Result("50 000 live sessions", "MB", used / 1e6, None, None, "<= 100 MB", used <= 100e6),
        Result("looking for silent ones among them", "ms", looked_s * 1e3, None, None, "<= 1 ms", looked_s <= 1e-3),
    ]
