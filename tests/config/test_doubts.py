"""Warnings of what can be used, and is hardly meant."""

from __future__ import annotations

import pytest

from flussdvr.config import ConfigErrors, parse_config
from flussdvr.config.doubts import known_events, known_fields


def warnings(text: str) -> list[str]:
    return [str(one) for one in parse_config(text, "f").warnings]


STREAM = "stream a { input fake://; %s }"
SINK = "stream a fake://; event_sink s { url http://h/; %s }"

DOUBTFUL = [
    (
        "dvr main { root /s; expiration 7; }",
        "'7' keeps 7s of recordings (without a unit this means seconds; write 7d for days)",
    ),
    ("dvr main { root /s; dvr_limit 300; }", "'300' keeps 5m of recordings"),
    ("dvr main { root /s; expiration 30s; }", "'30s' keeps 30s of recordings"),
    ("dvr main { root /s; expiration 1440; }", "'1440' keeps 24m of recordings (without a unit this means seconds"),
    ("dvr main { root /s; sync_interval 5000; }", "5000 without a unit is seconds, not milliseconds"),
    ("dvr main { root /s; sync_interval 1h; }", "'1h': a power failure loses up to 1h of recordings"),
    (STREAM % 'password "";', "an empty password keeps nobody out"),
    ("stream a { input fake://?sise=320x180; }", "fake:// has no option 'sise'; did you mean 'size'?"),
    ("stream a { input udp://239.0.0.1:1?programm=2; }", "udp:// has no option 'programm'; did you mean 'program'?"),
    (
        STREAM % "on_play securetoken://KEY?no_chek_ip=1;",
        "securetoken:// has no such option; did you mean 'no_check_ip'",
    ),
    (STREAM % "on_play securetoken://KEY?SECRET;", "securetoken:// has no such option"),
    ("auth_backend x { allow ip 10.0.0.1 0.0.0.0/0; }", "0.0.0.0/0 lets everybody in"),
    (SINK % "except event=*;", "the sink is told none"),
    (
        "dvr main { root /s; storage_limit 400; }",
        "'400' keeps 400 bytes of recordings (without a unit this means bytes; write 400G for GiB)",
    ),
    ("dvr main { root /s; disk_usage_limit 9%; }", "deletes recordings while 91% of the disk are free"),
    ("dvr main { root /s; disk_usage_limit 100%; }", "never deletes anything"),
    (STREAM % "dvr /storage 7;", "f:1:40: warning: '7' keeps 7s of recordings"),
    (STREAM % "input_timeout 10000;", "10000 without a unit is 10000 seconds (10000s), not milliseconds"),
    (STREAM % "input_timeout 0;", "0 gives up at once; off means never"),
    ("stream a { input fake:// source_timeout=5000; }", "5000 without a unit"),
    (
        "stream a { input fake:// program=2; }",
        "f:1:26: warning: program is an option of udp://, rtp://, tshttp://, tshttps://, publish://, file://: "
        "it changes nothing of fake://",
    ),
    (
        "stream a { input file:///srv/a.mp4 program=2; }",
        "program chooses in a transport stream, and 'file:///srv/a.mp4' is none by its name: it changes nothing",
    ),
    ("stream a { input udp://239.0.0.1:1234 user_agent=me; }", "user_agent is an option of tshttp://, tshttps://: it"),
    ("stream a { input tshttp://h/ interface=eth1; }", "interface is an option of udp://, rtp://: it changes nothing"),
    ("stream a { input publish:// bind_ip=10.0.0.1; }", "bind_ip is an option of udp://, rtp://: it changes nothing"),
    (STREAM % "session_keys name adress;", "'adress' makes no session"),
    (
        STREAM % "on_play http://h/ max_sesions=2;",
        "'max_sesions' is no option of on_play: it is told to the backend and changes nothing here; "
        "did you mean 'max_sessions' or",
    ),
    (STREAM % "on_play http://h/ { anything x; }", "'anything' is no option of on_play"),
    (STREAM % "on_play securetoken://KEY whatever=1;", "'whatever' is no option of on_play: it changes nothing"),
    (STREAM % "on_publish http://h/ max_sesions=2;", "'max_sesions' is no option of on_publish"),
    (SINK % "only event=stream_startd;", "f:1:54: warning: there is no event 'stream_startd'"),
    (SINK % "except event=dvr_*,strem_*;", "there is no event 'strem_*'"),
    (SINK % "only evnt=stream_opened;", "no event has a field 'evnt': this matches nothing; did you mean 'event'"),
    (SINK % "only media=b;", "there is no stream 'b'"),
    (
        SINK % "trottle_delay 5;",
        "'trottle_delay' is no option of event_sink: it is added to each event and changes nothing here; "
        "did you mean 'throttle_delay'?",
    ),
    (SINK % "resend_timeout 5000;", "5000 without a unit"),
    (SINK % "max_size 10;", "'10' is 10 bytes"),
    ("trusted_proxy 0.0.0.0/0;", "believes what anybody says"),
    ("auth_backend x { deny ip 10.0.0.1; } ", "'x' lets nobody in; say allow default;"),
    ("stream a;", "stream 'a' has no input"),
    ("stream a fake://; stream A fake://;", "stream 'A' differs from 'a' by letter case only"),
]


@pytest.mark.parametrize(("text", "sentence"), DOUBTFUL, ids=[text for text, _ in DOUBTFUL])
def test_a_doubt(text: str, sentence: str) -> None:
    found = warnings(text)
    assert len(found) == 1 and sentence in found[0] and ": warning: " in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "dvr main { root /s; expiration 7d; storage_limit 400G; disk_usage_limit 90%; sync_interval 5; }",
        "dvr main { root /s; expiration 0; storage_limit 0; disk_usage_limit 0%; }",
        STREAM % "dvr /storage 3600 97% 400G; input_timeout off; clients_timeout 60; session_keys name,header.X;",
        STREAM % "on_play http://h/ max_sessions=2 session_keys=ip;",
        SINK % "only event=*; only event=dvr_*,web_request media=a; except user_agent=*Mozilla*; level warning;",
        "template t { prefix x; input publish://; } stream a fake://; event_sink s { url http://h/; only media=x/y; }",
        "auth_backend x { backend http://h/; } auth_backend y { deny ip 10.0.0.1; allow default; }",
        "stream a { disabled; }",
        "dvr main { root /s; expiration 20m; sync_interval 60; }",
        "stream a { input fake://?size=320x180&fps=25; on_play securetoken://KEY?no_check_ip=true; }",
        "stream a { input udp://239.0.0.1:1?pkt_size=1316&program=2; input tshttp://h/?any=thing; }",
        "stream a { input udp://239.0.0.1:1 program=2 interface=eth1; input file:///srv/A.TS program=2; }",
        "stream a { input tshttp://h/ program=2 user_agent=me; input publish:// program=2; }",
    ],
)
def test_no_doubt(text: str) -> None:
    assert warnings(text) == []


def test_what_is_not_done_yet_is_near_too() -> None:
    with pytest.raises(ConfigErrors, match="unknown dvr option 'check_mont'; did you mean 'check_mount'"):
        parse_config("dvr main { root /s; check_mont true; }")


def test_where_something_is_wrong_nothing_is_doubted_that_may_be_its_consequence() -> None:
    with pytest.raises(ConfigErrors) as refusal:
        parse_config("stream a { inptu fake://; } event_sink s { url http://h/; only media=b; }")
    assert len(refusal.value.errors) == 1 and not refusal.value.warnings


def test_what_events_there_are_is_known_from_their_schema() -> None:
    assert {"web_request", "stream_opened", "dvr_export_finished", "events_dropped"} <= known_events()
    assert {"event", "media", "user_agent", "ip", "reason"} <= known_fields()
