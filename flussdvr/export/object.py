"""
Exports to object stores: which of them, with whose credentials, under what key.

    export_root s3s://KEY:SECRET@host/bucket/prefix
    path        s3s://           host/bucket/prefix/day/x.mp4     with these credentials, or none
                                             `------------- the key
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event

from flussdvr.body.body import Body
from flussdvr.config.export_root import SCHEMES, good_key, read_authority
from flussdvr.config.model import Bucket
from flussdvr.errors import DvrError, Kind
from flussdvr.logs.redaction import redact_url
from flussdvr.objects.s3 import ObjectStore


@dataclass(frozen=True, slots=True)
class ObjectDestination:
    """The object `key` of a bucket; uploads are given up when `ending` is set."""

    bucket: Bucket
    key: str
    ending: Event

    @property
    def name(self) -> str:
        return f"{self.bucket.url}/{self.key}"

    def check(self) -> None:
        with ObjectStore(self.bucket, self.ending) as store:
            store.check(self.key)

    def write(self, body: Body, copied: Callable[[int, int], None]) -> None:
        with ObjectStore(self.bucket, self.ending, copied) as store:
            store.upload(body, self.key)

    def left(self) -> int | None:
        with ObjectStore(self.bucket, self.ending) as store:
            size = store.size(self.key)
            if size is None:
                store.give_up(self.key)
            return size


def is_object(path: str) -> bool:
    scheme, mark, _ = path.partition("://")
    return bool(mark) and scheme.lower() in SCHEMES


def find_object(path: str, buckets: Iterable[Bucket], ending: Event) -> ObjectDestination:
    """The object that `path` names, in the first of `buckets` that permits it. DvrError DENIED."""
    for bucket in buckets:
        key = _key(path, bucket)
        if key is not None:
            return ObjectDestination(bucket, key, ending)
    title = f"{redact_url(path)[:200]!r} is not below an export_root, has other credentials, or names no object"
    raise DvrError(Kind.DENIED, "path_not_permitted", title, {"parameter": "path"})


def _key(path: str, bucket: Bucket) -> str | None:
    """
    None for what is not in the bucket, below its prefix. The credentials are looked for as they are, not for an `@`:
    there may be one in a secret and in a key.
    """
    scheme, _, rest = path.partition("://")
    scheme = scheme.lower()
    credentials = f"{bucket.key}:{bucket.secret}@"
    if hmac.compare_digest(rest[: len(credentials)].encode(errors="replace"), credentials.encode(errors="replace")):
        rest = rest[len(credentials) :]
    authority, _, rest = rest.partition("/")
    name, _, key = rest.partition("/")
    if (scheme == "s3s", read_authority(authority, scheme), name) != (bucket.tls, bucket.host, bucket.name):
        return None
    below = key.startswith(f"{bucket.prefix}/") if bucket.prefix else True
    return key if below and good_key(key) else None
