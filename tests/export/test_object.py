from __future__ import annotations

from threading import Event

import pytest

from flussdvr.config.model import Bucket
from flussdvr.errors import DvrError, Kind
from flussdvr.export.object import find_object

BUCKETS = [
    Bucket("store", "bucket", "KEY", "a/b@c", "exports"),
    Bucket("store:9000", "open", "OTHER", "x", tls=False),
    Bucket("store", "bucket", "SECOND", "y"),
]
OPEN = "s3://store:9000/open"


def find(path: str) -> tuple[str, str]:
    found = find_object(path, BUCKETS, Event())
    return found.bucket.key, found.key


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3s://store/bucket/exports/x.mp4", ("KEY", "exports/x.mp4")),
        ("s3s://KEY:a/b@c@store/bucket/exports/x.mp4", ("KEY", "exports/x.mp4")),
        ("S3S://Store:443/bucket/exports/day 1/x@y.mp4", ("KEY", "exports/day 1/x@y.mp4")),
        ("s3s://store/bucket/exports.mp4", ("SECOND", "exports.mp4")),
        ("s3s://SECOND:y@store/bucket/exports/x.mp4", ("SECOND", "exports/x.mp4")),
        (f"{OPEN}/a@b.mp4", ("OTHER", "a@b.mp4")),
    ],
)
def test_which_bucket_and_key(path: str, expected: tuple[str, str]) -> None:
    assert find(path) == expected
    name = find_object(path, BUCKETS, Event()).name
    assert name == name.lower() and "a/b@c" not in name and find(name)[1] == expected[1]


@pytest.mark.parametrize(
    "path",
    [
        "s3://store/bucket/exports/x.mp4",
        "s3s://store:9000/open/x.mp4",
        "s3://store/open/x.mp4",
        "s3://store:9000/Open/x.mp4",
        "s3://store:9000/open2/x.mp4",
        "s3://KEY:SECRET@store:9000/open/x.mp4",
        "s3://OTHER:SECRET@store:9000/open/x.mp4",
        "s3://OTHER@store:9000/open/x.mp4",
        "s3://evil@store:9000/open/x.mp4",
        "s3://store:9000@evil/open/x.mp4",
        "s3://store:9000\\@evil/open/x.mp4",
        OPEN,
        f"{OPEN}/",
        f"{OPEN}/x/",
        f"{OPEN}//x.mp4",
        f"{OPEN}/a/../x.mp4",
        f"{OPEN}/./x.mp4",
        f"{OPEN}/x\0.mp4",
        f"{OPEN}/x\n.mp4",
        f"{OPEN}/{'x' * 1025}",
        f"{OPEN}/\ud800",
    ],
)
def test_nothing_else_is_permitted(path: str) -> None:
    with pytest.raises(DvrError) as raised:
        find(path)
    error = raised.value
    assert (error.kind, error.code, error.source) == (Kind.DENIED, "path_not_permitted", {"parameter": "path"})
    assert "SECRET" not in error.title
