"""flussdvr: a DVR server for live streams."""

from __future__ import annotations

from importlib import metadata

try:
    __version__ = metadata.version("flussdvr")
except metadata.PackageNotFoundError:  # run from a bare checkout
    __version__ = "0+unknown"
