from __future__ import annotations

import pytest

from flussdvr.config import Bucket, ConfigErrors, parse_config
from flussdvr.config.export_root import read_bucket, write_bucket


def test_directories_and_buckets() -> None:
    config = parse_config(
        """
        export_root exports;
        export_root s3://KEY:a/b+c=@Store.example:80/bucket/;
        export_root S3S://KEY:p@ss@[::1]:9000/bucket/a/b/ { region eu-central-1; }
        """,
        base="/srv",
    )
    assert config.export_roots == (
        "/srv/exports",
        Bucket("store.example", "bucket", "KEY", "a/b+c=", tls=False),
        Bucket("[::1]:9000", "bucket", "KEY", "p@ss", "a/b", region="eu-central-1"),
    )
    bucket = config.export_roots[2]
    assert isinstance(bucket, Bucket)
    assert (bucket.url, bucket.endpoint) == ("s3s://[::1]:9000/bucket", "https://[::1]:9000")
    assert read_bucket(write_bucket(bucket), bucket.region) == bucket and "p@ss" not in repr(bucket)


@pytest.mark.parametrize(
    ("root", "finding"),
    [
        ("s3://KEY:SECRET", "the key and its secret are needed"),
        ("s3://store/SECRET", "the key and its secret are needed"),
        ("s3://KEY@store/bucket", "the key and its secret are needed"),
        ("s3://KEY:SECRET@store", "'' is no bucket"),
        ("s3://KEY:SECRET@store/b!", "'b!' is no bucket"),
        ("s3://KEY:SECRET@store:99999/bucket", "'store:99999' is no host"),
        ("s3://KEY:SECRET@store?/bucket", "'store?' is no host"),
        ("s3://KEY:SECRET@/bucket", "'' is no host"),
        ("s3://KEY:SECRET@store/bucket/a/../b", "cannot begin the names of objects"),
        ("swift://KEY:SECRET@store/bucket", "found 'swift://KEY:***@store/bucket'"),
        ("s3://KEY:SECRET@store/bucket region=a/b", "expected a region"),
        ("s3://KEY:SECRET@store/bucket regoin=a", "did you mean 'region'?"),
        ("s3://KEY:SECRET@store/bucket /other", "does not take '/other'"),
        ("/srv region=eu", "a directory is in no region"),
        ("region=eu", "expected a path or"),
    ],
)
def test_what_is_wrong_is_told_without_the_secret(root: str, finding: str) -> None:
    with pytest.raises(ConfigErrors) as raised:
        parse_config(f"export_root {root};")
    (error,) = raised.value.errors
    assert finding in str(error) and "SECRET" not in str(error).replace("KEY:SECRET@host", "")
