from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from flussdvr.access import geoip
from flussdvr.access.geoip import Countries
from flussdvr.threads import InlineWorker

WORLD = {"192.0.2.0/24": {"country": {"iso_code": "AT"}}, "2001:db8::/32": {"country": {"iso_code": "DE"}}}


def write(path: Path, networks: Mapping[str, Any], version: int = 6) -> Path:
    """Beside it first, and then in its place, as those do who renew databases."""
    database = MMDBWriter(version, "GeoLite2-Country", ipv4_compatible=version == 6)
    for network, record in networks.items():
        database.insert_network(IPSet([network]), record)
    database.to_db_file(str(path) + ".new")
    os.rename(str(path) + ".new", path)
    return path


def apply(countries: Countries, path: Path | None) -> None:
    applying = Deferred.fromCoroutine(countries.apply(None if path is None else str(path)))
    SynchronousTestCase().successResultOf(applying)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return write(tmp_path / "world.mmdb", WORLD)


def test_where_addresses_are(world: Path) -> None:
    countries = Countries(InlineWorker())
    assert countries.of("192.0.2.1") is None, "nothing is known yet"
    apply(countries, world)
    found = {ip: countries.of(ip) for ip in ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "10.0.0.1", "::1", "x")}
    assert found == dict(zip(found, ["AT", "AT", "DE", "", "", ""], strict=True))
    apply(countries, None)
    assert countries.of("192.0.2.1") is None


@pytest.mark.parametrize(
    "record",
    [{"registered_country": {"iso_code": "at"}}, {"country": "AT"}, {"country_code": "AT", "continent_code": "EU"}],
)
def test_records_as_others_make_them(tmp_path: Path, record: dict[str, Any]) -> None:
    countries = Countries(InlineWorker())
    apply(countries, write(tmp_path / "x.mmdb", {"192.0.2.0/24": record}, 4))
    assert countries.of("192.0.2.1") == "AT" and countries.of("2001:db8::1") == ""


def test_a_database_is_read_again_only_if_its_file_has_changed(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = maxminddb.open_database
    monkeypatch.setattr(geoip.maxminddb, "open_database", lambda *args: opened.append(args[0]) or real(*args))
    countries = Countries(InlineWorker())
    apply(countries, world)
    apply(countries, world)
    assert len(opened) == 1
    write(world, {"192.0.2.0/24": {"country": {"iso_code": "FR"}}})
    assert countries.of("192.0.2.1") == "AT", "not before it is told"
    apply(countries, world)
    assert len(opened) == 2 and countries.of("192.0.2.1") == "FR"


def test_an_unusable_database_leaves_the_one_before(world: Path, tmp_path: Path) -> None:
    countries, fresh = Countries(InlineWorker()), Countries(InlineWorker())
    apply(countries, world)
    junk, cut = tmp_path / "junk", tmp_path / "cut"
    junk.write_bytes(b"x" * 1000)
    cut.write_bytes(world.read_bytes()[:-10])
    networks = write(tmp_path / "asn.mmdb", {"192.0.2.0/24": {"autonomous_system_number": 64496}})
    for path in (tmp_path / "missing", tmp_path, junk, cut, networks):
        apply(countries, path)
        apply(fresh, path)
        assert (countries.of("192.0.2.1"), fresh.of("192.0.2.1")) == ("AT", None), path
