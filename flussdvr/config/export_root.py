"""
Where exports may go, beside the DVR roots.

    export_root /srv/exports;
    export_root s3s://KEY:SECRET@s3.example.com/bucket/prefix region=eu-central-1;     s3:// is HTTP, s3s:// HTTPS

The last `@` ends the secret, whatever else is in it: nothing is spelled with %.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flussdvr.config.errors import Misread, shown
from flussdvr.config.lexer import quote
from flussdvr.config.model import Bucket
from flussdvr.config.parser import Directive
from flussdvr.config.reading import Reading, Rule, Writing, line, read_fields, simple, surplus
from flussdvr.config.values import Kind
from flussdvr.logs.redaction import redact_url

SCHEMES = {"s3": 80, "s3s": 443}
REGION = Bucket("", "", "", "").region

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_HOST = re.compile(r"[a-z0-9_][a-z0-9._-]*|[0-9a-f:.]+")
_FORM = "expected s3://KEY:SECRET@host/bucket or s3s://KEY:SECRET@host/bucket/prefix"


def _region(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise Misread(f"expected a region such as {REGION}, found {shown(text)}")
    return text


_OPTIONS = {"region": simple("region", Kind(_region))}


def read_authority(text: str, scheme: str) -> str | None:
    """`host[:port]` in lower case, without the scheme's own port; None for what is none."""
    try:
        found = urlsplit(f"//{text}")
        host, port = found.hostname or "", found.port
    except ValueError:
        return None
    if found.netloc != text or "@" in text or not _HOST.fullmatch(host) or port == 0:
        return None
    host = f"[{host}]" if ":" in host else host
    return host if port is None or port == SCHEMES[scheme] else f"{host}:{port}"


def good_key(key: str) -> bool:
    """Whether it can name an object, also in a store that keeps them as files."""
    return (
        0 < len(key.encode(errors="surrogatepass")) <= 1024
        and key.isprintable()
        and all(part not in ("", ".", "..") for part in key.split("/"))
    )


def read_bucket(text: str, region: str = REGION) -> Bucket:
    """Raises Misread, which does not quote what may be secret."""
    scheme, _, rest = text.partition("://")
    credentials, _, place = rest.rpartition("@")
    key, _, secret = credentials.partition(":")
    authority, _, path = place.partition("/")
    name, _, prefix = path.partition("/")
    scheme = scheme.lower()
    prefix = prefix.removesuffix("/")
    if not key or not secret or "/" in key:
        raise Misread(_FORM, hint="the key and its secret are needed")
    host = read_authority(authority, scheme)
    if host is None:
        raise Misread(_FORM, hint=f"{shown(authority)} is no host")
    if not _BUCKET.fullmatch(name):
        raise Misread(_FORM, hint=f"{shown(name)} is no bucket")
    if prefix and not good_key(prefix):
        raise Misread(_FORM, hint=f"{shown(prefix)} cannot begin the names of objects")
    return Bucket(host, name, key, secret, prefix, scheme == "s3s", region)


def write_bucket(bucket: Bucket) -> str:
    """With its secret."""
    scheme, _, place = bucket.place.partition("://")
    return f"{scheme}://{bucket.key}:{bucket.secret}@{place}"


def _read(directive: Directive, reading: Reading) -> tuple[str | Bucket, ...]:
    words = directive.positional
    if not words:
        raise Misread("expected a path or s3://KEY:SECRET@host/bucket after 'export_root'")
    if len(words) > 1:
        raise surplus(directive, words[1])
    text = words[0].text
    values, places = read_fields(_OPTIONS, directive.fields, "option of export_root", reading)
    try:
        if text.partition("://")[0].lower() in SCHEMES and "://" in text:
            return (read_bucket(text, values.get("region", REGION)),)
        if "://" in text:
            raise Misread(f"exports go to directories and to s3:// and s3s://, found {shown(redact_url(text))}")
        if "region" in places:
            raise Misread("a directory is in no region", places["region"])
        return (reading.path(text),)
    except Misread as misread:
        raise Misread(misread.message, misread.place or words[0].place, misread.hint) from None


def _write(name: str, roots: tuple[str | Bucket, ...], writing: Writing) -> list[str]:
    lines = []
    for root in roots:
        if isinstance(root, Bucket):
            options = [f"region={root.region}"] if root.region != REGION else []
            lines.append(line(name, quote(writing.url(write_bucket(root))), *options))
        else:
            lines.append(line(name, quote(root)))
    return lines


EXPORT_ROOT = Rule("export_roots", _read, _write, repeated=True)
