"""The file and its conf.d as a Config: what each directive comes to, and every way to be wrong."""

from __future__ import annotations

import os
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flussdvr.config import (
    ApiToken,
    AuthBackendSettings,
    AuthSettings,
    Config,
    ConfigErrors,
    Credentials,
    DvrSettings,
    EventSinkSettings,
    InputSettings,
    Listener,
    StreamSettings,
    ThumbnailSettings,
    load_config,
    parse_config,
)
from flussdvr.config import load as load_module
from flussdvr.config.server import SERVER_RULES, SERVER_UNSUPPORTED
from flussdvr.config.stream import STREAM_UNSUPPORTED
from flussdvr.config.stream_options import STREAM_RULES

MAIN = "dvr main { root /storage; expiration 7d; storage_limit 400G; disk_usage_limit 90%; }\n"
MAIN_DVR = DvrSettings("/storage", 604_800, 400 << 30, 90, 5, "main")


def stream(text: str, before: str = MAIN) -> StreamSettings:
    return parse_config(f"{before} stream s {{ {text} }}").streams["s"]


def findings(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse_config(text, "f")
    return [str(error) for error in caught.value.errors]


def test_the_example_of_the_product() -> None:
    config = parse_config("""
        http 8080;  rtmp 1935;
        edit_auth admin secret;  view_auth viewer look;
        state_dir /var/lib/flussdvr;
        export_root /var/lib/flussdvr/exports;
        dvr main { root /storage; expiration 7d; storage_limit 400G; disk_usage_limit 90%; sync_interval 5s; }
        template cams { input_timeout 10s; thumbnails; dvr @main; }
        stream ort {
          input udp://239.0.0.1:1234;  input tshttp://backup.example/ort priority=2;
          dvr @main 2d;
          segment_duration 5;  thumbnails;  hls_container fmp4;
          on_play http://127.0.0.1:5000/auth;
        }
        stream pushed { input publish://; password "s3cret"; dvr /storage 1h; }
        stream demo   { input fake://?size=640x360&fps=25; dvr @main; }
        event_sink usage { url http://127.0.0.1:5000/events; only event=web_request; }
    """)
    assert config.http == (Listener(8080),) and config.rtmp == (Listener(1935),)
    assert config.edit_auth == Credentials("admin", "secret") and config.view_auth == Credentials("viewer", "look")
    assert (config.state_dir, config.export_roots) == ("/var/lib/flussdvr", ("/var/lib/flussdvr/exports",))
    assert config.dvrs == {"main": MAIN_DVR}
    assert config.templates["cams"].values == {
        "input_timeout_s": 10,
        "thumbnails": ThumbnailSettings(),
        "dvr": MAIN_DVR,
    }
    assert config.streams["ort"] == StreamSettings(
        "ort",
        (InputSettings("udp://239.0.0.1:1234", 1), InputSettings("tshttp://backup.example/ort", 2)),
        replace(MAIN_DVR, expiration_s=172_800),
        thumbnails=ThumbnailSettings(),
        on_play=AuthSettings("http://127.0.0.1:5000/auth"),
    )
    assert config.streams["pushed"] == StreamSettings(
        "pushed", (InputSettings("publish://"),), DvrSettings("/storage", 3600), password="s3cret"
    )
    assert config.streams["demo"].inputs == (InputSettings("fake://?size=640x360&fps=25"),)
    assert config.event_sinks["usage"] == EventSinkSettings(
        "usage", "http://127.0.0.1:5000/events", ({"event": ("web_request",)},)
    )
    assert config.roots == {"/storage"}


def test_an_empty_file_is_the_defaults() -> None:
    assert parse_config("") == Config()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dvr /s;", DvrSettings("/s")),
        ("dvr /s 7d;", DvrSettings("/s", 604_800)),
        ("dvr /s 90% 5d;", DvrSettings("/s", 432_000, None, 90)),
        ("dvr 400G 97% 3600 /s;", DvrSettings("/s", 3600, 400 << 30, 97)),
        ("dvr /s { expiration 1d; disk_limit 95; sync_interval 1s; }", DvrSettings("/s", 86_400, None, 95, 1)),
        ("dvr /s expiration=1d storage_limit=1T;", DvrSettings("/s", 86_400, 1 << 40)),
        ("dvr /s schedule=800-1600,2200-130;", DvrSettings("/s", schedule=((800, 1600), (2200, 130)))),
        ("dvr /s { schedule 800-1600 2200-130; }", DvrSettings("/s", schedule=((800, 1600), (2200, 130)))),
        ("dvr /s 0;", DvrSettings("/s")),
        ("dvr /s 7d copy=s3://k:s@h/b;", DvrSettings("/s", 604_800, copy="s3://k:s@h/b")),
        ("dvr_offline /s 20d;", DvrSettings("/s", 1_728_000, offline=True)),
        ("dvr @main;", MAIN_DVR),
        ("dvr @main 2d 50%;", replace(MAIN_DVR, expiration_s=172_800, disk_usage_limit=50)),
        ("dvr @main storage_limit=0 copy=off;", replace(MAIN_DVR, storage_limit=None)),
        ("dvr_offline @main;", replace(MAIN_DVR, offline=True)),
        ("dvr off;", None),
    ],
)
def test_dvr(text: str, expected: DvrSettings | None) -> None:
    assert stream(text).dvr == expected


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("", "inputs", ()),
        ("url publish://;", "inputs", (InputSettings("publish://"),)),
        (
            "input fake:// priority=2 source_timeout=1m; input fake://x { priority 1; user_agent x; }",
            "inputs",
            (InputSettings("fake://", 2, {"input_timeout": "60"}), InputSettings("fake://x", 1, {"user_agent": "x"})),
        ),
        (
            "input fake://a; input fake://b;",
            "inputs",
            (InputSettings("fake://a", 1), InputSettings("fake://b", 2)),
        ),
        ("segment_duration 2.5;", "segment_duration_ms", 2500),
        ("segment_count 10;", "segment_count", 10),
        ("hls_container mpegts;", "hls_container", "mpegts"),
        ("source_timeout 30;", "input_timeout_s", 30),
        ("input_timeout false;", "input_timeout_s", None),
        ("clients_timeout off;", "clients_timeout_s", None),
        ("static false;", "static", False),
        ("disabled;", "disabled", True),
        ("password c2VjcmV0=;", "password", "c2VjcmV0="),
        ('title "The first" ;', "title", "The first"),
        ("position 3;", "position", 3),
        ('labels a=b c="d e";', "labels", {"a": "b", "c": "d e"}),
        ("protocols hls,mp4 dash;", "protocols", ("hls", "mp4", "dash")),
        ("thumbnails;", "thumbnails", ThumbnailSettings()),
        ("thumbnails off;", "thumbnails", None),
        ("thumbnails enabled=false;", "thumbnails", None),
        ("thumbnails url=http://c/s.jpg;", "thumbnails", ThumbnailSettings(url="http://c/s.jpg")),
        (
            "thumbnails enabled=ondemand size=320x240 size=160x120;",
            "thumbnails",
            ThumbnailSettings("ondemand", None, ((320, 240), (160, 120))),
        ),
        ("thumbnails ondemand;", "thumbnails", ThumbnailSettings("ondemand")),
        ("session_keys ip,name proto token;", "session_keys", ("ip", "name", "proto", "token")),
        (
            "on_play http://a/b?c=d session_keys=ip,name max_sessions=2 soft_limitation=true group=vip;",
            "on_play",
            AuthSettings("http://a/b?c=d", ("ip", "name"), 2, True, extra={"group": "vip"}),
        ),
        ("auth http://a;", "on_play", AuthSettings("http://a")),
        ("on_play securetoken://KEY;", "on_play", AuthSettings("securetoken://KEY")),
        ("on_publish https://a;", "on_publish", AuthSettings("https://a")),
    ],
)
def test_stream(text: str, field: str, expected: object) -> None:
    assert getattr(stream(text), field) == expected


def test_stream_on_one_line() -> None:
    config = parse_config("stream a/b udp://239.0.0.1:1; ondemand c fake:// { title x; }; stream d title=y;")
    assert config.streams["a/b"].inputs == (InputSettings("udp://239.0.0.1:1"),)
    assert config.streams["c"] == StreamSettings("c", (InputSettings("fake://"),), static=False, title="x")
    assert config.streams["d"].title == "y"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http 8080;", Listener(8080)),
        ("http 127.0.0.1:8080;", Listener(8080, "127.0.0.1")),
        ("http [::1]:8080;", Listener(8080, "::1")),
        ("http *:8080;", Listener(8080)),
        ("http { port 8080; address 127.0.0.1; api off; }", Listener(8080, "127.0.0.1", False)),
        ("http 8080 api=false;", Listener(8080, "", False)),
        ("http 0;", Listener(0)),
    ],
)
def test_listeners(text: str, expected: Listener) -> None:
    assert parse_config(text).http == (expected,)


def test_https() -> None:
    config = parse_config("https 443 { certificate c.pem; certificate_key /k.pem; }", base="/etc/x")
    assert config.https == (Listener(443, certificate="/etc/x/c.pem", certificate_key="/k.pem"),)


def test_server() -> None:
    config = parse_config(
        """
        api_token ci 0123456789; api_token ops abcdefghij;
        api_allowed_from 10.0.0.0/8 127.0.0.1; api_allowed_from ::1;
        trusted_proxy 192.168.0.0/16;
        session_keys ip,name,proto,token; no_auto_token; auth_token t;
        state_dir var/state;
        """,
        base="/srv",
    )
    assert config.api_tokens == (ApiToken("ci", "0123456789"), ApiToken("ops", "abcdefghij"))
    assert config.api_allowed_from == tuple(map(ip_network, ("10.0.0.0/8", "127.0.0.1/32", "::1/128")))
    assert config.trusted_proxies == (ip_network("192.168.0.0/16"),)
    assert config.session_keys == ("ip", "name", "proto", "token") and config.no_auto_token
    assert config.auth_token == "t"
    assert (config.state_dir, config.export_roots) == ("/srv/var/state", ("/srv/var/state/exports",))


def test_event_sink() -> None:
    sink = parse_config("""
        event_sink s {
          url https://h/e; only event=a,b media=cam*; only event=c; except media=*;
          throttle_delay 1; resend_limit 1000; resend_timeout 10s; level info; anykey anyvalue; x;
        }
    """).event_sinks["s"]
    assert sink == EventSinkSettings(
        "s",
        "https://h/e",
        ({"event": ("a", "b"), "media": ("cam*",)}, {"event": ("c",)}),
        ({"media": ("*",)},),
        1,
        1000,
        10,
        "info",
        {"anykey": "anyvalue", "x": "true"},
    )


def test_auth_backend() -> None:
    config = parse_config("""
        geoip /usr/share/GeoIP/GeoLite2-Country.mmdb;
        auth_backend b {
          allow token a b; deny ip 10.0.0.0/8; allow country RU at;
          deny ua "Mozilla/5.0 (X11; Linux)"; backend http://a/; backend http://b/; allow default;
        }
        stream s { on_play auth://b; }
    """)
    assert config.auth_backends["b"] == AuthBackendSettings(
        "b",
        allow_tokens=("a", "b"),
        deny_ips=(ip_network("10.0.0.0/8"),),
        allow_countries=("RU", "AT"),
        deny_uas=("Mozilla/5.0 (X11; Linux)",),
        backends=("http://a/", "http://b/"),
        allow_default=True,
    )


def test_template_is_replaced_directive_by_directive() -> None:
    config = parse_config(
        MAIN
        + """
        stream a { template t; }
        template t { input fake://; dvr @main; title T; thumbnails; segment_count 9; on_play http://a; labels a=b; }
        stream b { template t; input publish://; dvr off; thumbnails off; on_play off; segment_count 4; }
        """
    )
    a, b = config.streams["a"], config.streams["b"]
    assert (a.inputs, a.dvr, a.title, a.segment_count) == ((InputSettings("fake://"),), MAIN_DVR, "T", 9)
    assert a.template == b.template == "t"
    assert (b.inputs, b.dvr, b.thumbnails, b.on_play, b.segment_count) == (
        (InputSettings("publish://"),),
        None,
        None,
        None,
        4,
    )
    assert b.title == "T" and b.labels == {"a": "b"}


def test_prefixes_make_streams() -> None:
    config = parse_config("""
        template all { prefix ""; title all; }
        template cams { prefix cams cams/front; prefix doors; password p; title cams; }
        template front { prefix cams/front/1; title front; input fake://; }
        stream cams/fixed { title fixed; }
    """)

    def title(name: str) -> str | None:
        made = config.stream_for(name)
        return made.title if made else None

    assert config.stream_for("cams/fixed") is config.streams["cams/fixed"]
    assert [title(n) for n in ("cams/x", "doors/y", "cams/front/1/x", "cams", "camsx/y", "other")] == (
        ["cams", "cams", "front", "all", "all", "all"]
    )
    assert config.stream_for("cams/x") == StreamSettings(
        "cams/x", (InputSettings("publish://"),), password="p", title="cams", template="cams"
    )
    assert config.stream_for("../x") is None
    assert config.stream_for("streamer/x") is None
    assert parse_config("template t { prefix p; }").stream_for("x") is None


def test_reload_can_compare_streams() -> None:
    text = "stream a { input fake:// priority=2; labels x=y; } stream b { input fake://; }"
    before, after = (
        parse_config(text),
        parse_config("# a comment\n" + text.replace("stream b {", "stream b { title t;")),
    )
    assert before.streams["a"] == after.streams["a"] and before.streams["b"] != after.streams["b"]
    assert len({before.streams["a"], after.streams["a"]}) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("htp 80;", "f:1:1: error: unknown directive 'htp'; did you mean 'http' or 'https'?"),
        ("rtsp 554;", "f:1:1: error: 'rtsp' is not supported yet"),
        ("srt 9300;", "'srt' is not supported yet"),
        ("srt_play { port 9300; }", "'srt_play' is not supported yet"),
        ("notify x { sink http://h; }", "'notify' is not supported yet; use event_sink NAME { url URL; }"),
        ("stream a { transcoder vb=1; }", "f:1:12: error: 'transcoder' is not supported yet"),
        ("stream a { inptu fake://; }", "f:1:12: error: unknown stream directive 'inptu'; did you mean 'input'?"),
        ("stream a { input hls://h/x; }", "f:1:18: error: inputs of the kind hls:// are not supported yet"),
        ("stream a { input fake:// via=x; }", "f:1:26: error: 'via' is not supported yet"),
        ("stream a { input fake:// prioritty=x; }", "unknown input option 'prioritty'; did you mean 'priority'?"),
        ("stream a { input; }", "expected a URL after 'input'"),
        ("stream a { input fake://\n title x; }", "f:2:2: error: 'input' does not take 'title' here; is ';' missing"),
        ("stream a; stream a;", "f:1:18: error: stream 'a' is defined twice; first at f:1:8"),
        ("stream a; ondemand a;", "defined twice"),
        ("dvr a { root /x; } dvr a { root /y; }", "dvr 'a' is defined twice; first at f:1:5"),
        ("dvr a { }", "f:1:1: error: dvr 'a' has no root"),
        ("dvr a { root /x; raid 0; }", "'raid' is not supported yet"),
        ("dvr a /x { root /x; }", "'dvr' does not take '/x' here"),
        ("dvr @a { root /x; }", "expected a name for this dvr"),
        ("stream;", "expected a name after 'stream'"),
        ("stream ../a;", "f:1:8: error: a stream name must not contain"),
        ("stream a; stream a/2026;", "would record into the directories of 'a'"),
        ("stream a { template t; }", "f:1:21: error: there is no template 't'"),
        ("template cams {} stream a { template cam; }", "there is no template 'cam'; did you mean 'cams'?"),
        ("template t { template u; }", "unknown template directive 'template'"),
        ("template t { prefix ../x; }", "a prefix must not contain"),
        (
            "dvr main { root /x; } stream a { dvr @mian; }",
            "f:1:38: error: there is no dvr 'mian'; did you mean 'main'?",
        ),
        ("stream a { dvr; }", "expected a path or @NAME after 'dvr'"),
        ("stream a { dvr /x 400GB; }", "expected a limit such as 7d, 400G or 90%, found '400GB'"),
        ("stream a { dvr /x 7d 2d; }", "f:1:22: error: 'expiration' is given twice; first at f:1:19"),
        ("stream a { dvr /x /y; }", "does not take '/y'"),
        ("stream a { dvr s3://k:s@h/b; }", "recording straight to 's3://' is not supported"),
        ("stream a { dvr /x replicate; }", "'replicate' is not supported yet"),
        ("stream a { segment_duration 20; }", "f:1:29: error: expected seconds from 1 to 15, found '20'"),
        ("stream a { hls_container ts; }", "expected one of fmp4, mpegts, found 'ts'"),
        ("stream a { title x; title y; }", "'title' is given twice; first at f:1:12"),
        ("stream a { title; }", "expected a value after 'title'"),
        ("stream a { title { x; } }", "'title' takes no block"),
        ("stream a { labels x; }", "expected key=value, found 'x'"),
        ("stream a { on_play auth://b; }", "there is no auth_backend 'b'"),
        ("stream a { on_play /x.lua; }", "expected a URL that begins with http://"),
        ("stream a { on_publish securetoken://x; }", "securetoken:// is not supported yet here"),
        ("http;", "expected a port or address:port after 'http'"),
        ("http 70000;", "expected a whole number from 0 to 65535"),
        ("http x:80;", "expected an IP address, found 'x'"),
        ("http 80; rtmp 127.0.0.1:80;", "f:1:10: error: port 80 is already taken by http"),
        ("http 80; http 80;", "port 80 is already taken by http"),
        ("https 443;", "https needs certificate FILE;"),
        ("edit_auth admin;", "expected a user and a password"),
        ("edit_auth a b; edit_auth c d;", "'edit_auth' is given twice"),
        ("api_token a short;", "a key of 8 characters or more"),
        ("trusted_proxy x;", "f:1:15: error: expected an address or a network"),
        ("event_sink s { uri http://h; }", "event_sink 's' has no url; did you mean url where it says 'uri'?"),
        ("event_sink s { url pid://x; }", "pid:// is not supported yet here"),
        ("event_sink s { url log://x; }", "expected the absolute path of a file as in log:///var/log/events.log"),
        ("event_sink s { url /x.lua; }", "scripts are not run here"),
        ("event_sink s { url http://h; only web_request; }", "expected key=value such as event=stream_*"),
        ("auth_backend b { deny country RU; }", "f:1:23: error: countries need a database; say geoip FILE; for the"),
        ("stream a { on_play http://h allowed_countries=RU; }", "f:1:29: error: countries need a database"),
        ("template a { on_publish http://h { disallowed_countries RU BY; } }", "countries need a database"),
        ("geoip /x; auth_backend b { deny country UK; }", "f:1:41: error: expected the two letters of a country"),
        ("geoip /x; auth_backend b { deny country UK; }", "found 'UK'; did you mean 'GB'?"),
        ("geoip /x; stream a { on_play http://h allowed_countries=Austria; }", "expected the two letters"),
        ("geoip;", "expected a path after 'geoip'"),
        ("auth_backend b { allow x; }", "expected allow token|ip|country|ua VALUE or allow default"),
    ],
)
def test_errors(text: str, says: str) -> None:
    found = findings(text)
    assert len(found) == 1 and says in found[0]


def test_every_error_is_found() -> None:
    found = findings(
        'http x;\nhtp 80;\nstream a { inptu x; segment_duration 99; title "x; }\nstream a { foo; }\ndvr d {\n'
    )
    assert [line.split(":")[1] for line in found] == list("123334455")


def test_lenient_passes_over_what_is_unknown_but_not_what_is_wrong() -> None:
    config = parse_config(
        "lenient; rtsp 554; stream a { transcoder x=1 { y; } foo; title x; input fake:// via=y; input hls://h/x; }", "f"
    )
    assert [str(w) for w in config.warnings] == [
        "f:1:10: warning: 'rtsp' is not supported yet: ignored",
        "f:1:31: warning: 'transcoder' is not supported yet: ignored",
        "f:1:53: warning: unknown stream directive 'foo': ignored",
        "f:1:81: warning: 'via' is not supported yet: ignored",
        "f:1:94: warning: inputs of the kind hls:// are not supported yet: ignored",
    ]
    assert config.streams["a"] == StreamSettings("a", (InputSettings("fake://"),), title="x")
    assert len(findings("lenient; stream a { segment_count x; }")) == 1
    assert len(findings("lenient off; foo;")) == 1


@pytest.mark.parametrize(
    "text",
    ["on_play http://h;", "stream a { drm x; }", "stream a { on_play lua://x; }", "stream a { on_play /x.lua; }"]
    + ["stream a { on_play http://h allowed_countries=RU; }", "stream a { nopublish; }"],
)
def test_lenient_never_opens_what_was_closed(text: str) -> None:
    assert len(findings("lenient; " + text)) == 1


def test_unsupported_names_are_not_supported_ones() -> None:
    assert not STREAM_UNSUPPORTED.keys() & STREAM_RULES.keys()
    assert not SERVER_UNSUPPORTED.keys() & SERVER_RULES.keys()


def test_secrets_are_not_in_a_repr() -> None:
    text = "edit_auth a SECRET; api_token t SECRETSECRET; stream s { password SECRET; dvr /x copy=s3://k:SECRET@h/b; }"
    assert "SECRET" not in repr(parse_config(text))


# -- files


def test_conf_d_is_merged_in_name_order(tmp_path: Path) -> None:
    main = tmp_path / "flussdvr.conf"
    (tmp_path / "conf.d").mkdir()
    main.write_text("\ufeffstream main { dvr @d; }", "utf-8")
    (tmp_path / "conf.d" / "20.conf").write_text("stream b; dvr d { root /x; }")
    (tmp_path / "conf.d" / "10.conf").write_text("stream a;")
    (tmp_path / "conf.d" / "30.conf~").write_text("nonsense")
    (tmp_path / "conf.d" / ".hidden.conf").write_text("nonsense")
    config = load_config(str(main))
    assert list(config.streams) == ["main", "a", "b"]
    assert config.streams["main"].dvr == DvrSettings("/x", name="d")


def test_errors_name_the_file_that_they_are_in(tmp_path: Path) -> None:
    main = tmp_path / "flussdvr.conf"
    (tmp_path / "conf.d").mkdir()
    main.write_text("http 80;\nstream a;")
    (tmp_path / "conf.d" / "x.conf").write_text("\nstream a;\nhttp 80;\nfoo;")
    with pytest.raises(ConfigErrors) as caught:
        load_config(str(main))
    drop_in = tmp_path / "conf.d" / "x.conf"
    assert [str(e) for e in caught.value.errors] == [
        f"{drop_in}:2:8: error: stream 'a' is defined twice; first at {main}:2:8",
        f"{drop_in}:3:1: error: port 80 is already taken by http",
        f"{drop_in}:4:1: error: unknown directive 'foo'",
    ]


def test_relative_paths_are_under_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "x.conf").write_text(
        "state_dir var/state; dvr m { root var/../archive; } stream s { dvr a/b; }"
    )
    monkeypatch.chdir(tmp_path)
    config = load_config("etc/x.conf")
    assert config.state_dir == f"{tmp_path}/var/state"
    assert config.dvrs["m"].root == f"{tmp_path}/archive"
    assert config.streams["s"].dvr == DvrSettings(f"{tmp_path}/a/b")
    assert load_config("etc/x.conf", base="/").state_dir == "/var/state"


def unreadable(path: Path) -> str:
    with pytest.raises(ConfigErrors) as caught:
        load_config(str(path))
    return str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unreadable(tmp_path / "no").endswith("no: error: cannot be read: No such file or directory")
    assert "is not a regular file" in unreadable(tmp_path) or "cannot be read" in unreadable(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    assert "is not a regular file" in unreadable(tmp_path / "fifo")
    (tmp_path / "latin").write_bytes(b"a;\nb \xe9;")
    assert unreadable(tmp_path / "latin").startswith(f"{tmp_path}/latin:2:3: error: expected UTF-8")
    monkeypatch.setattr(load_module, "MAX_FILE_BYTES", 10)
    (tmp_path / "long").write_bytes(b"#" * 11)
    assert "is longer than" in unreadable(tmp_path / "long")
    with pytest.raises(ConfigErrors):
        parse_config("#" * 11)


# -- nothing but ConfigErrors, whatever the text

NAMES = sorted({*SERVER_RULES, *STREAM_RULES, "stream", "template", "dvr", "event_sink", "auth_backend", "prefix"})
VALUES = [
    "a",
    "@a",
    "7d",
    "0",
    "off",
    "90%",
    "400G",
    "/x",
    "..",
    "a=b",
    "http://a",
    "udp://1.2.3.4:5",
    '""',
    '"',
    "only",
]
MARKS = [";", "{", "}", ";\n", "#", " "]


@given(st.text())
def test_any_text(text: str) -> None:
    try:
        parse_config(text)
    except ConfigErrors as errors:
        assert errors.errors and all(error.explain() for error in errors.errors)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(NAMES + VALUES + MARKS * 5), max_size=40).map(" ".join))
def test_any_words(text: str) -> None:
    try:
        parse_config(text)
    except ConfigErrors as errors:
        assert errors.errors


@given(st.sampled_from(NAMES), st.lists(st.sampled_from(VALUES), max_size=4), st.booleans(), st.booleans())
def test_any_words_after_any_name(name: str, values: list[str], inside: bool, block: bool) -> None:
    text = " ".join([name, *values]) + (" { a; }" if block else ";")
    try:
        parse_config(f"stream s {{ {text} }}" if inside else text)
    except ConfigErrors as errors:
        assert errors.errors


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    try:
        parse_config(data.decode("latin-1"))
    except ConfigErrors as errors:
        assert errors.errors


def test_the_access_log() -> None:
    assert parse_config("").access_log == "on" and parse_config("").told == {}
    assert parse_config("access_log off;").told == {}
    config = parse_config("access_log /var/log/a.log; event_sink s { url http://h/; }")
    assert list(config.told) == ["s", "@access_log"]
    sink = config.told["@access_log"]
    assert sink.url == "log:///var/log/a.log" and sink.only == ({"event": ("web_request",)},)
    for wrong in ("yes", "/var/log/", ""):
        with pytest.raises(ConfigErrors):
            parse_config(f'access_log "{wrong}";')


def test_a_text_may_refer_to_what_is_configured_already() -> None:
    known = parse_config(
        "dvr main { root /s; expiration 7d; } template t { title x; } auth_backend b { allow default; }"
    )
    text = "stream a { template t; input fake://; dvr @main 2d; on_play auth://b; }"
    stream = parse_config(text, known=known).streams["a"]
    assert stream.dvr is not None and (stream.dvr.root, stream.dvr.expiration_s) == ("/s", 2 * 86_400)
    assert stream.title == "x" and stream.on_play is not None
    with pytest.raises(ConfigErrors):
        parse_config(text)
