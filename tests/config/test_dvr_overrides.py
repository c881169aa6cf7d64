from __future__ import annotations

import pytest

from flussdvr.config import Config, DvrSettings, parse_config
from flussdvr.config.dvr_overrides import apply_storage_patch, apply_storage_patches, extend_storage_patch, users
from flussdvr.errors import DvrError

FILE = parse_config("""
    dvr main { root /storage; expiration 7d; storage_limit 1G; copy s3://k:s@h/b; }
    dvr other { root /other; }
    template cams { prefix cams; dvr @main 1d; }
    template none { prefix none; dvr off; }
    stream a { input publish://; dvr @main; }
    stream b { input publish://; dvr_offline @main 0d 90% copy=off; }
    stream c { input publish://; dvr @other; }
    stream d { input publish://; dvr /storage 7d; }
    stream e { input publish://; template cams; }
    stream f { input publish://; }
""")


def dvr_of(config: Config, name: str) -> DvrSettings:
    found = config.stream_for(name)
    assert found is not None and found.dvr is not None
    return found.dvr


def test_patches_are_kept_by_the_names_of_today() -> None:
    first = extend_storage_patch({}, {"name": "main", "stats": {}, "dvr_limit": 5, "root": "/a"})
    assert first == {"expiration": 5, "root": "/a"}
    assert extend_storage_patch(first, {"expiration": None}) == {"expiration": None, "root": "/a"}
    assert extend_storage_patch(first, {"$reset": True, "root": "/b"}) == {"$reset": True, "root": "/b"}


def test_a_patch_over_the_file() -> None:
    changed = apply_storage_patch("main", {"expiration": 0, "storage_limit": None, "schedule": [[800, 900]]}, FILE)
    assert changed == DvrSettings("/storage", name="main", schedule=((800, 900),), copy="s3://k:s@h/b")
    assert apply_storage_patch("new", {"root": "/new/"}, FILE) == DvrSettings("/new", name="new")
    assert apply_storage_patch("main", {"$reset": True, "root": "/new"}, FILE) == DvrSettings("/new", name="main")


@pytest.mark.parametrize(
    ("name", "patch", "code", "where"),
    [
        ("", {"root": "/a"}, "bad_dvr_name", "name"),
        ("a b", {"root": "/a"}, "bad_dvr_name", "name"),
        ("@a", {"root": "/a"}, "bad_dvr_name", "name"),
        ("a\0", {"root": "/a"}, "bad_dvr_name", "name"),
        ("a" * 201, {"root": "/a"}, "bad_dvr_name", "name"),
        ("new", {"expiration": 5}, "invalid_value", "/root"),
        ("main", {"root": None}, "invalid_value", "/root"),
        ("main", {"root": "../x"}, "invalid_value", "/root"),
        ("main", {"reference": "other"}, "unknown_field", "/reference"),
        ("main", {"disk_usage_limit": 101}, "invalid_value", "/disk_usage_limit"),
    ],
)
def test_refusals(name: str, patch: dict[str, object], code: str, where: str) -> None:
    with pytest.raises(DvrError) as raised:
        apply_storage_patch(name, patch, FILE)
    assert raised.value.status == 400 and raised.value.code == code and where in raised.value.source.values()


def test_streams_and_templates_follow_but_for_what_they_say_themselves() -> None:
    patches = {"main": {"root": "/moved", "expiration": 60, "storage_limit": 5, "copy": None}}
    config, problems = apply_storage_patches(FILE, patches)
    main = config.dvrs["main"]
    assert problems == [] and main == DvrSettings("/moved", 60, 5, name="main")
    assert dvr_of(config, "a") == main
    assert dvr_of(config, "b") == DvrSettings("/moved", None, 5, 90, name="main", offline=True)
    assert dvr_of(config, "cams/1") == dvr_of(config, "e") == DvrSettings("/moved", 86_400, 5, name="main")
    assert (dvr_of(config, "c"), dvr_of(config, "d")) == (dvr_of(FILE, "c"), dvr_of(FILE, "d"))
    assert config.streams["f"] == FILE.streams["f"] and config.templates["none"] == FILE.templates["none"]
    assert users("main", config) == ["a", "b", "e"] and apply_storage_patches(FILE, {})[0] is FILE


def test_patches_that_do_not_fit_any_more_are_left_out() -> None:
    config, (problem,) = apply_storage_patches(FILE, {"gone": {"expiration": 5}, "other": {"expiration": 5}})
    assert "dvr gone" in problem and set(config.dvrs) == {"main", "other"} and config.dvrs["other"].expiration_s == 5
