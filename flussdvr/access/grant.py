"""A grant: what a pass lets its holder do, without a question to the stream's authority."""

from __future__ import annotations

from dataclasses import dataclass

from flussdvr.access.verdict import Spans


@dataclass(frozen=True, slots=True)
class Grant:
    """
    Somebody is let in by a pass: `key` (no secret) tells their sessions from those of others, `user_id` is shown in
    sessions and events. `expires_ms`: UTC, when an answer that lasts has to be asked about, `None`: now and then.
    `spans`: what of the archive is let out, where a moment is found near the one that was asked for; `None` is all.
    """

    key: str
    user_id: str
    expires_ms: int | None = None
    spans: Spans | None = None
