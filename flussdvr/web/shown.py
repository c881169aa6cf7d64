"""A request's URI as it may be logged: of its query, only the values that are no secrets by their names."""

from __future__ import annotations

import re

LONGEST = 2000
"""Bytes of a URI; nobody shall fill the log by one request."""
PARAMETER = re.compile(rb"([?&;]([^?&;=]*)=)[^?&;]+")
PLAIN = frozenset(
    b"utc lutc from to duration event gaps filter filter.tracks request width format limit cursor sort select part "
    b"name id full meta".split()
)
FILE = (b"/", b"%2f", b"%2F")
"""So begins a `path` that is plain, too; in that of an object store there may be credentials."""
"""A token may come under any name (`auth_token`), and spelled with %: so every other value is hidden."""


def shown(uri: bytes) -> str:
    """For log lines at any level; what is too long is cut."""
    text = PARAMETER.sub(_hidden, uri[:LONGEST]).decode("latin-1")
    return text if len(uri) <= LONGEST else text + "..."


def _hidden(match: re.Match[bytes]) -> bytes:
    name, value = match[2].lower(), match[0][len(match[1]) :]
    return match[0] if name in PLAIN or (name == b"path" and value.startswith(FILE)) else match[1] + b"***"
