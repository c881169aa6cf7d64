"""
URLs in a configuration: which scheme one has; those of inputs are in `inputs`.
"""

from __future__ import annotations

from flussdvr.config.errors import Misread, shown

TS_SUFFIXES = (".ts", ".m2t", ".m2ts", ".mts", ".trp", ".tsv", ".mpegts")
"""Files with such a name are read as transport streams."""


def read_scheme(text: str, schemes: tuple[str, ...], not_yet: tuple[str, ...] = ()) -> str:
    """Any other URL, by its scheme; gives the scheme."""
    scheme, mark, rest = text.partition("://")
    scheme = scheme.lower()
    if mark and scheme in not_yet and scheme not in schemes:
        raise Misread(f"{scheme}:// is not supported yet here")
    if not mark or not rest or scheme not in schemes:
        raise Misread(f"expected a URL that begins with {' or '.join(s + '://' for s in schemes)}, found {shown(text)}")
    return scheme
