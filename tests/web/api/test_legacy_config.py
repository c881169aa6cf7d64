"""What older scripts read and send back of the configuration: only what they change changes."""

from __future__ import annotations

from typing import Any

import pytest

from flussdvr.config import parse_config
from flussdvr.config.overrides import apply_patch, extend_patch
from flussdvr.config.stream_document import configured, effective
from flussdvr.config.stream_options import PROTOCOLS
from flussdvr.errors import DvrError
from flussdvr.web.api.legacy_config import OFF, changed, check_sections, of_text, shown

FILE = parse_config(
    "dvr main { root /s; expiration 7d; storage_limit 400G; } "
    "stream cam { input udp://239.0.0.1:1; input publish://; dvr @main 3d 90%; hls_container mpegts; title x; }",
    "f",
)


def now(patch: dict[str, Any] | None = None) -> dict[str, Any]:
    document = effective(apply_patch("cam", patch or {}, FILE), True)
    return shown({**document, "named_by": "config", "stats": {"alive": True}})


def after_text(text: str) -> dict[str, Any]:
    found = parse_config(text, "body", known=FILE)
    patch = of_text(text, "cam", configured(found.streams["cam"], found))
    return shown(effective(apply_patch("cam", extend_patch({}, patch), FILE), True))


def test_a_text_changes_what_it_says_and_nothing_else() -> None:
    before, after = now(), after_text("stream cam { dvr /other 2d; }")
    assert after["urls"] == before["urls"] and after["title"] == "x", "its inputs stay"
    assert after["dvr"]["root"] == "/other" and after["dvr"]["expiration"] == 2 * 86_400
    assert "disk_usage_limit" not in after["dvr"], "a line replaces the whole of that line"
    assert after_text("stream cam { dvr_offline @main 20d; }")["dvr"]["dvr_offline"] is True


def test_a_text_sets_what_is_the_default_too() -> None:
    assert now()["hls_container"] == "mpegts"
    assert after_text("stream cam { hls_container fmp4; }")["hls_container"] == "fmp4"
    assert "dvr" not in after_text("stream cam { dvr off; }")
    assert [one["url"] for one in after_text("stream cam publish://;")["urls"]] == ["publish://"]


def test_what_is_sent_back_as_it_was_read_changes_nothing() -> None:
    whole = now()
    assert "inputs" not in whole and "stats" not in whole and whole["urls"][0]["url"] == "udp://239.0.0.1:1"
    assert changed(whole, now()) == {}
    whole["urls"][0]["url"] = "udp://239.0.0.2:1"
    patch = changed(whole, now())
    assert set(patch) == {"urls"}
    assert now(extend_patch({}, patch))["urls"][0]["url"] == "udp://239.0.0.2:1"
    assert changed({**now(), "disabled": True}, now()) == {"disabled": True}
    assert changed({"title": "y"}, None) == {"title": "y"}, "a new one"


def test_each_off_changes_what_is_allowed_now() -> None:
    state: dict[str, Any] = {}

    def send(**off: Any) -> list[str]:
        nonlocal state
        state = extend_patch(state, changed(off, now(state)))
        return [one for one in PROTOCOLS if one not in (now(state).get("protocols") or PROTOCOLS)]

    assert send(dash_off=True, hds_off=True) == ["dash"]
    assert send(mpegts_off=True, rtsp_off=True) == ["dash", "rtsp", "tshttp"], "what was off stays off"
    assert send(dash_off=False) == ["rtsp", "tshttp"]
    assert send(hls_off=None) == ["rtsp", "tshttp"]
    assert send(rtsp_off=False, mpegts_off=False) == [] and now(state).get("protocols") is None
    assert send(hls_off=True, protocols=["hls", "mp4"]) == [one for one in PROTOCOLS if one not in ("hls", "mp4")]


@pytest.mark.parametrize("name", OFF)
def test_every_protocol_can_be_off(name: str) -> None:
    patch = changed({f"{name}_off": True}, now())
    assert patch == ({} if name == "hds" else {"protocols": [one for one in PROTOCOLS if one != OFF[name]]})


@pytest.mark.parametrize(
    ("patch", "title"),
    [
        ({"hsl_off": True}, "there is no hsl_off; did you mean 'hls_off'"),
        ({"x_off": True}, "there is no x_off"),
        ({"hls_off": 1}, "hls_off: expected true or false"),
        ({"hls_off": "true"}, "hls_off: expected true or false"),
        ({"hls_off": "true", "protocols": ["hls"]}, "hls_off: expected true or false"),
    ],
)
def test_an_off_that_is_none(patch: dict[str, Any], title: str) -> None:
    with pytest.raises(DvrError, match=title):
        changed(patch, None)


@pytest.mark.parametrize(
    "given", [[], {}, 5, {"streams": []}, {"streams": {"a": 5}}, {"cluster_key": "x"}, {"streams": {}, "auth": {}}]
)
def test_what_cannot_be_changed_here_is_refused_as_a_whole(given: Any) -> None:
    with pytest.raises(DvrError):
        check_sections(given)
