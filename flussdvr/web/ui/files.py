"""
The files of the page: read once, small, kept in RAM, each also compressed where that makes it smaller.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

BUILT = files("flussdvr.web.ui") / "static"
"""What `make ui` has built, wherever the package lies."""
TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "jpg": "image/jpeg",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff2": "font/woff2",
}
COMPRESSED_ALREADY = ("image/jpeg", "image/png", "image/webp", "font/woff2")


@dataclass(frozen=True, slots=True)
class File:
    """`gzipped` is `None` where compression is of no use; `etag` is that of `data`."""

    data: bytes
    gzipped: bytes | None
    content_type: str
    etag: str


def read_files(folder: Traversable) -> dict[str, File]:
    """
    The files below a folder by their paths in it (`assets/index-1a2b.js`): those of a known type, none if there is no
    such folder.
    """
    return {path: _file(TYPES[_extension(path)], data) for path, data in _walk(folder, "")}


def _walk(folder: Traversable, front: str) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if one.is_dir():
            yield from _walk(one, f"{front}{one.name}/")
        elif _extension(one.name) in TYPES:
            yield front + one.name, one.read_bytes()


def _extension(path: str) -> str:
    return PurePosixPath(path).suffix[1:].lower()


def _file(content_type: str, data: bytes) -> File:
    small = None if content_type in COMPRESSED_ALREADY else gzip.compress(data, 9, mtime=0)
    if small is not None and len(small) >= len(data):
        small = None
    return File(data, small, content_type, sha256(data).hexdigest()[:20])
