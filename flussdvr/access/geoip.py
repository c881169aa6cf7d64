"""
In which country an address is: `geoip FILE;`, a database in MaxMind's format (GeoLite2-Country and the like).

    start, SIGHUP --file changed?--> worker: read whole into RAM, tried --> the next question uses it

A mapped file would be read by the reactor's thread whenever a page of it is not in RAM, and who copies a new one over
it would kill the process; so it is read. A database that can't be used leaves the one before in place.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice
from typing import Any

import maxminddb
from twisted.logger import Logger

from flussdvr.threads import Worker

MAX_BYTES = 512 << 20
SAMPLE = 1000
"""One of so many first networks has to have a country: a database of something else would never match any."""

Stamp = tuple[int, ...]


class Unusable(Exception):
    """A file that is no database of countries; its text says why."""


@dataclass(frozen=True, slots=True)
class _Database:
    path: str
    stamp: Stamp
    reader: maxminddb.Reader


class Countries:
    """Where addresses are. Nothing is known before `apply`; `worker` reads files."""

    log = Logger()

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._database: _Database | None = None

    async def apply(self, path: str | None) -> None:
        """Use the database at `path` from now on, as it is now; an unusable one is logged, and the last one stays."""
        if path is None:
            self._database = None
            return
        try:
            database = await self._worker.do(_open, path, self._database)
        except (Unusable, OSError) as error:
            # Not an error of the start: nobody's recordings depend on where viewers are.
            why = getattr(error, "strerror", None) or str(error)
            meanwhile = "countries are not known" if self._database is None else "the one before stays in use"
            self.log.error("geoip {path} can't be used: {why}; {meanwhile}", path=path, why=why, meanwhile=meanwhile)
            return
        if database is not self._database:
            kind = database.reader.metadata().database_type
            self.log.info("countries of addresses from {path} ({kind})", path=path, kind=kind)
        self._database = database

    def of(self, ip: str) -> str | None:
        """Two capital letters; "" for an address that is in no country, `None` if there is no way to know."""
        if self._database is None:
            return None
        try:
            address = ip_address(ip)
            return _country(self._database.reader.get(getattr(address, "ipv4_mapped", None) or address))
        except ValueError:  # no address, or one of IPv6 in a database of IPv4
            return ""
        except maxminddb.InvalidDatabaseError:
            return None


def _open(path: str, before: _Database | None) -> _Database:
    """In a worker: the database, which is `before` if its file is the same. Raises `Unusable`, `OSError`."""
    found = os.stat(path)
    stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    if before is not None and (before.path, before.stamp) == (path, stamp):
        return before
    if found.st_size > MAX_BYTES:
        raise Unusable(f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
        known = any(_country(record) for _, record in islice(reader, SAMPLE))
    except (maxminddb.InvalidDatabaseError, ValueError, RecursionError) as error:
        raise Unusable(str(error)) from None
    if not known:
        raise Unusable("it knows no countries")
    return _Database(path, stamp, reader)


def _country(record: Any) -> str:
    """The code in a record, of MaxMind's or others': `{"country": {"iso_code": "AT"}}`, `{"country_code": "AT"}`."""
    if not isinstance(record, dict):
        return ""
    for key in ("country", "registered_country", "country_code"):
        found = record.get(key)
        code = found.get("iso_code") if isinstance(found, dict) else found
        if isinstance(code, str) and len(code) == 2:
            return code.upper()
    return ""
