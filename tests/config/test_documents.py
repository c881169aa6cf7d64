from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from flussdvr.config import Config, ConfigErrors, parse_config, write_config
from flussdvr.config.documents import Field, number, object_schema, properties, text
from flussdvr.config.overrides import apply_overrides, apply_patch, check_countries, check_neighbours, extend_patch
from flussdvr.config.stream_document import configured, effective, mask_patch, read_stream
from flussdvr.errors import DvrError, Kind

FILE = """
dvr main { root /storage; expiration 7d; disk_usage_limit 90%; }
auth_backend lists { allow default; }
template cams { prefix cams; dvr @main; input_timeout 10s; title Camera; thumbnails; on_play auth://lists; }
stream ort { input udp://239.0.0.1:1234; input tshttp://me:pw@h/x priority=5 user_agent=me; dvr @main 2d; }
stream plain { input publish://; password s3cret; dvr /other 1h 400G schedule=800-1600,2200-130; segment_duration 4; }
stream cam { input fake://; template cams; dvr off; title ""; thumbnails off; input_timeout off; on_play off; }
stream off { input publish://; dvr @main 0; labels a=b; protocols hls,mp4; thumbnails size=320x240; position 4; }
"""


@pytest.fixture(scope="module")
def config() -> Config:
    return parse_config(FILE)


@pytest.mark.parametrize("name", ["ort", "plain", "cam", "off"])
def test_a_document_makes_the_same_settings(config: Config, name: str) -> None:
    settings = config.streams[name]
    assert read_stream(name, configured(settings, config), config) == settings


def test_the_effective_document(config: Config) -> None:
    document = effective(config.streams["ort"], secrets=False)
    assert document["dvr"] == {
        "root": "/storage",
        "reference": "main",
        "expiration": 172800,
        "disk_usage_limit": 90,
        "sync_interval": 5,
    }
    assert document["inputs"][1] == {"url": "tshttp://me:***@h/x", "priority": 5, "user_agent": "me"}
    assert effective(config.streams["ort"], True)["inputs"][1]["url"] == "tshttp://me:pw@h/x"
    assert effective(config.streams["plain"], False)["password"] == "***"
    assert document["segment_duration"] == 5000 and document["input_timeout"] == 10
    assert effective(config.streams["cam"], True)["input_timeout"] is False


@pytest.mark.parametrize("name", ["ort", "plain", "cam", "off"])
def test_what_was_got_may_be_put(config: Config, name: str) -> None:
    settings = config.streams[name]
    document = effective(settings, True) | {"stats": {"alive": True}, "named_by": "config"}
    if name != "cam":  # what takes back a template's value can't be seen in the effective configuration
        assert apply_patch(name, extend_patch({}, document), config).dvr == settings.dvr


def test_the_schema_of_fields() -> None:
    fields = {"a": Field("a", number(1, 2), schema={"type": "integer", "x-also": ["string"]}), "b": Field("b", text)}
    assert properties(fields) == {
        "a": {"type": ["integer", "null"], "x-also": ["string"]},
        "b": {"type": ["string", "null"]},
    }
    assert properties(fields, ("b",))["b"] == {"type": "string"}
    made = object_schema(fields, ["boolean"])
    assert set(made["properties"]) == {"a", "b", "$reset"} and made["x-also"] == ["boolean"]
    assert made["additionalProperties"] is False


def test_patches(config: Config) -> None:
    assert apply_patch("ort", {"dvr": {"expiration": 60}}, config).dvr.expiration_s == 60  # type: ignore[union-attr]
    assert apply_patch("ort", {"dvr": None}, config).dvr is None
    assert apply_patch("ort", {"dvr": {"disk_limit": 50}}, config).dvr.disk_usage_limit == 50  # type: ignore[union-attr]
    own = apply_patch("ort", {"dvr": {"root": "/mine"}}, config).dvr
    assert own is not None and (own.root, own.name) == ("/mine", None)
    back = apply_patch("plain", {"dvr": {"reference": "main"}}, config).dvr
    assert back is not None and (back.root, back.name, back.expiration_s) == ("/storage", "main", 3600)
    fresh = apply_patch("ort", {"$reset": True, "inputs": [{"url": "publish://"}]}, config)
    assert fresh.dvr is None and fresh.inputs[0].url == "publish://"
    made = apply_patch("cams/1", {"title": "x"}, config)
    assert made.template == "cams" and made.inputs[0].url == "publish://" and made.dvr == config.dvrs["main"]
    assert apply_patch("new", {"urls": [{"url": "publish://"}], "auth": "http://h/"}, config).on_play is not None


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"tilte": "x"}, "/tilte"),
        ({"dvr": {"rot": "/x"}}, "/dvr/rot"),
        ({"dvr": {"root": "relative"}}, "/dvr/root"),
        ({"dvr": {"root": "/x/../y"}}, "/dvr/root"),
        ({"dvr": {"root": "/x", "expiration": "1d"}}, "/dvr/expiration"),
        ({"dvr": {"root": "/x", "expiration": -1}}, "/dvr/expiration"),
        ({"dvr": {"expiration": True}}, "/dvr/expiration"),
        ({"dvr": {"expiration": 5}}, "/dvr"),
        ({"dvr": {"reference": "none"}}, "/dvr/reference"),
        ({"dvr": {"root": "/x", "schedule": [[2500, 1]]}}, "/dvr/schedule/0"),
        ({"inputs": [{"url": "udp://1.2.3.4:5", "prority": 1}]}, "/inputs/0/prority"),
        ({"inputs": [{"url": "bogus://"}]}, "/inputs/0/url"),
        ({"inputs": ["publish://", "bogus://"]}, "/inputs/1/url"),
        ({"inputs": [{"priority": 1}]}, "/inputs/0"),
        ({"inputs": [{"url": "file:///x", "priority": 0}]}, "/inputs/0/priority"),
        ({"inputs": [{"url": "file:///x", "program": "no"}]}, "/inputs/0/program"),
        ({"inputs": {}}, "/inputs"),
        ({"segment_duration": 1}, "/segment_duration"),
        ({"template": "none"}, "/template"),
        ({"on_play": {"url": "auth://none"}}, "/on_play/url"),
        ({"on_play": {}}, "/on_play"),
        ({"on_play": {"url": "http://h/", "allowed_countries": ["UK"]}}, "/on_play/allowed_countries/0"),
        ({"protocols": {"hls": 1}}, "/protocols"),
        ({"labels": []}, "/labels"),
        ({"title": 1}, "/title"),
        ({"thumbnails": {"sizes": [{"width": 1}]}}, "/thumbnails/sizes/0"),
    ],
)
def test_what_is_wrong_is_named(config: Config, patch: dict[str, Any], pointer: str) -> None:
    with pytest.raises(DvrError) as raised:
        apply_patch("new", patch, config)
    assert raised.value.status == 400 and raised.value.source == {"pointer": pointer}, raised.value


def test_countries_need_a_database(config: Config) -> None:
    patch = {"on_play": {"url": "http://h/", "disallowed_countries": ["ru", "BY"]}}
    made = apply_patch("new", patch, config)
    assert made.on_play is not None and made.on_play.disallowed_countries == ("RU", "BY")
    assert effective(made, False)["on_play"] == {"url": "http://h/", "disallowed_countries": ["RU", "BY"]}
    check_countries(made, replace(config, geoip="/x"))
    with pytest.raises(DvrError) as raised:
        check_countries(made, config)
    assert raised.value.status == 400 and raised.value.source == {"pointer": "/on_play"}


def test_overrides_that_do_not_fit_any_more_are_left_out(config: Config) -> None:
    patches = {"ort": {"dvr": {"reference": "gone"}}, "new": {"inputs": ["publish://"]}}
    result, (problem,) = apply_overrides(config, patches)
    assert "ort" in problem and result.streams["ort"] == config.streams["ort"] and "new" in result.streams


def test_archives_do_not_lie_in_each_other() -> None:
    check_neighbours("a/b", {"a", "a/b", "c"})
    for name, others in (("cam/2026", {"cam"}), ("cam", {"cam/2026/x"})):
        with pytest.raises(DvrError, match="bad_stream_name"):
            check_neighbours(name, others)


def test_a_viewer_sees_no_secret_wherever_it_is() -> None:
    text = """
        stream a {
          input tshttp://h/x?hdnts=s3cret user_agent=me;
          comment "see http://u:s3cret@h/";
          labels site=north pin=s3cret;
          thumbnails url=http://u:s3cret@h/snap.jpg?pwd=s3cret;
          on_play http://h/auth?sig=s3cret { site 5; whatever s3cret; }
        }
        event_sink s { url http://s3cret@h/; anything s3cret; }
    """
    config = parse_config(text)
    seen = json.dumps(effective(config.streams["a"], False)) + write_config(config)
    assert "s3cret" not in seen
    for harmless in ('"north"', '"user_agent": "me"', '"site": "5"', "snap.jpg", "auth?sig=***"):
        assert harmless in seen
    patch = {"on_play": {"url": "http://h/", "extra": {"k": "s3cret", "site": "5"}}, "labels": {"jwt": "s3cret"}}
    patch |= {"password": "s3cret", "inputs": [{"url": "tshttp://h/?e=s3cret"}], "session_keys": ["name", "token"]}
    masked = mask_patch(patch)
    assert "s3cret" not in json.dumps(masked)
    assert masked["session_keys"] == ["name", "token"] and masked["on_play"]["extra"]["site"] == "5"


@pytest.mark.parametrize(
    "document",
    [
        {"title": "\ud800"},
        {"labels": {"\ud800": "x"}},
        {"labels": {"x": "\udfff"}},
        {"dvr": {"root": "/\ud800"}},
        {"dvr": {"root": "/r\u202ex"}},
        {"dvr": {"root": "/r\0x"}},
        {"dvr": {"root": "/r\nx"}},
    ],
)
def test_texts_that_cannot_be_written_and_paths_that_cannot_be_seen(document: dict[str, Any]) -> None:
    with pytest.raises(DvrError) as raised:
        read_stream("cam", document, Config())
    assert raised.value.kind is Kind.BAD_REQUEST and str(raised.value).encode()


def test_paths_of_the_file_can_be_seen() -> None:
    with pytest.raises(ConfigErrors, match="can be seen"):
        parse_config('dvr main { root "/r\u202ex"; }')
