"""A request's URI as it may be logged: without the values of its tokens and passwords."""

from __future__ import annotations

import re

SECRETS = re.compile(rb"([?&;](?:token|password)=)[^&;]+", re.IGNORECASE)


def shown(uri: bytes) -> str:
    """For log lines at any level."""
    return SECRETS.sub(rb"\1***", uri).decode("latin-1")
