"""A request's URI as it may be logged: of its query, only the values that are no secrets by their names."""

from __future__ import annotations

import re

PARAMETER = re.compile(rb"([?&;]([^?&;=]*)=)[^?&;]+")
PLAIN = frozenset(
    b"utc lutc from to duration event gaps filter filter.tracks request width format limit cursor sort select part "
    b"name id full path meta".split()
)
"""A token may come under any name (`auth_token`), and spelled with %: so every other value is hidden."""


def shown(uri: bytes) -> str:
    """For log lines at any level."""
    return PARAMETER.sub(_hidden, uri).decode("latin-1")


def _hidden(match: re.Match[bytes]) -> bytes:
    return match[0] if match[2].lower() in PLAIN else match[1] + b"***"
