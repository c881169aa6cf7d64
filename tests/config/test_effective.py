"""The effective configuration is a configuration: reading it gives what was written. And it keeps secrets."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flussdvr.config import (
    ApiToken,
    AuthBackendSettings,
    AuthSettings,
    Bucket,
    Config,
    Credentials,
    DvrSettings,
    EventSinkSettings,
    InputSettings,
    Listener,
    StreamSettings,
    TemplateSettings,
    ThumbnailSettings,
    parse_config,
    stream_name_problem,
    write_config,
)
from flussdvr.config.event_sink import SINK_RULES
from flussdvr.config.stream_options import PROTOCOLS

FULL = """
http 80; http 127.0.0.1:8080 { api off; }
https [::1]:443 { certificate /c; certificate_key /k; }
rtmp 1935;
edit_auth admin SECRET1;
view_auth viewer SECRET2;
api_token ci SECRETSECRET;
trusted_proxy 10.0.0.0/8;
export_root /exports; export_root s3s://KEY:SECRET@x@h:9000/bucket/a region=eu-1; export_root s3://K:SECRET@h/bucket;
dvr main { root /storage; expiration 7d; storage_limit 400G; copy s3://k:SECRET/3@h/b; }
auth_backend b { allow token SECRET4; backend http://u:SECRET5@h/; }
template t { prefix p ""; segment_count 9; thumbnails; dvr @main 2d; on_play securetoken://SECRET6;
  clients_timeout 5m; }
stream a { template t; input tshttp://u:SECRET7@h/x?token=SECRET8; password SECRET9; dvr @main 0; on_play off; }
stream b { template t; segment_count 4; thumbnails off; clients_timeout off; dvr off; }
stream c { dvr_offline /x; on_play http://h/?key=SECRET10 secret=SECRET11 session_keys=ip; labels "a=b"="c"; }
event_sink s { url http://u:SECRET12@h/; api_key SECRET13; only event=a,b; except media=*; }
""".replace('"a=b"="c"', 'a="c d"')


def test_every_directive_is_read_back() -> None:
    config = parse_config(FULL)
    for defaults in (False, True):
        text = write_config(config, secrets=True, defaults=defaults)
        assert parse_config(text) == config
        assert write_config(parse_config(text), secrets=True, defaults=defaults) == text


def test_secrets_are_masked_and_the_result_is_still_a_configuration() -> None:
    text = write_config(parse_config(FULL))
    assert "SECRET" not in text
    assert set(parse_config(text.replace("***", "********")).streams) == {"a", "b", "c"}


def test_what_a_stream_takes_back_from_its_template_is_written() -> None:
    text = write_config(parse_config(FULL))
    b = text[text.index("stream b {") :].split("}")[0]
    assert [line.strip() for line in b.split("\n")[1:-1]] == [
        "template t;",
        "clients_timeout off;",
        "dvr off;",
        "segment_count 4;",
        "thumbnails off;",
        "on_play securetoken://***;",
    ]
    a = text[text.index("stream a {") :]
    assert "dvr @main {\n    expiration 0;\n  }" in a


# -- any Config

names = st.text("abc01._-é", min_size=1, max_size=5).filter(lambda n: stream_name_problem(n) is None)
keys = st.from_regex(r"\A[a-z_][a-z0-9_.-]{0,5}\Z")
texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
filled = texts.filter(bool)
paths = st.sampled_from(["/x", "/srv/a b", "/é;{}", '/"quoted"', "/a=b", "/7d"])
seconds = st.integers(1, 10_000_000)
networks = st.sampled_from(["10.0.0.0/8", "127.0.0.1", "::1", "fe80::/10"]).map(ip_network)
hhmm = st.builds(lambda h, m: h * 100 + m, st.integers(0, 23), st.integers(0, 59))
schedules = st.lists(st.tuples(hhmm, hhmm).filter(lambda p: p[0] != p[1]), max_size=3).map(tuple)
urls = st.sampled_from(["http://h/", "https://u:p@h:1/x?a=b&token=c#d", 'http://h/"{};'])
several = {"max_size": 3}
word_lists = st.lists(st.text("abc_.*", min_size=1, max_size=5), min_size=1, max_size=3).map(tuple)


def tuples(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, max_size=3).map(tuple)


limits = {
    "expiration_s": st.none() | seconds,
    "storage_limit": st.none() | st.integers(1, 10**15),
    "disk_usage_limit": st.none() | st.integers(1, 100),
    "sync_interval_s": seconds,
    "schedule": schedules,
    "copy": st.sampled_from([None, "s3://a:b/c@h/d", "swift://user=u&password=p@h/c"]),
}
dvrs = st.dictionaries(
    st.text("abc", min_size=1, max_size=2), st.fixed_dictionaries({"root": paths, **limits}), **several
)
listeners = st.builds(
    Listener, st.integers(0, 0), st.sampled_from(["", "127.0.0.1", "::1"]), st.booleans(), st.none(), st.none()
)
tls = st.builds(Listener, st.just(0), st.sampled_from(["", "::1"]), st.booleans(), paths, paths)
extras = st.dictionaries(keys, texts, **several)
countries = st.lists(st.sampled_from(["AT", "DE", "XK"]), max_size=2).map(tuple)
auths = st.none() | st.builds(
    AuthSettings,
    st.sampled_from(["http://h/x?a=b", "auth://backend"]),
    st.none() | word_lists,
    st.none() | st.integers(1, 9),
    st.booleans(),
    countries,
    countries,
    extras,
)
inputs = st.lists(
    st.builds(
        InputSettings,
        st.sampled_from(["publish://", "fake://?a=b", "udp://239.0.0.1:1", 'file:///a b"c']),
        st.integers(1, 1000),
        st.fixed_dictionaries({}, optional={"input_timeout": seconds.map(str), "user_agent": texts}),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
thumbnails = st.none() | st.builds(
    ThumbnailSettings,
    st.sampled_from([True, "ondemand"]),
    st.none() | urls,
    tuples(st.tuples(st.integers(16, 8192), st.integers(16, 8192))),
)
export_roots = st.lists(
    paths
    | st.builds(
        Bucket,
        st.sampled_from(["s3.example.com", "10.0.0.1:9000", "[::1]:9000"]),
        st.just("bucket"),
        st.text("AK=", min_size=1),
        st.text('aZ/+@:=;{" #', min_size=1),
        st.sampled_from(["", "a", "a/b c"]),
        st.booleans(),
        st.sampled_from(["us-east-1", "eu-central-1"]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
titles = texts
stream_fields: dict[str, st.SearchStrategy[Any]] = {
    "inputs": inputs,
    "segment_duration_ms": st.integers(1000, 15_000),
    "segment_count": st.integers(2, 1000),
    "hls_container": st.sampled_from(["fmp4", "mpegts"]),
    "password": texts,
    "input_timeout_s": st.none() | seconds,
    "clients_timeout_s": st.none() | seconds,
    "static": st.booleans(),
    "disabled": st.booleans(),
    "thumbnails": thumbnails,
    "on_play": auths,
    "on_publish": auths,
    "protocols": st.lists(st.sampled_from(PROTOCOLS), min_size=1, max_size=3).map(tuple),
    "session_keys": word_lists,
    "title": titles,
    "comment": texts,
    "provider": texts,
    "position": st.integers(0, 99),
    "labels": extras,
}


@st.composite
def stream_values(draw: st.DrawFn, known: dict[str, DvrSettings]) -> dict[str, Any]:
    values: dict[str, Any] = draw(st.fixed_dictionaries({}, optional=stream_fields))
    kind = draw(st.sampled_from(["unset", "off", "own", "ref"]))
    offline = draw(st.booleans())
    if kind == "off":
        values["dvr"] = None
    elif kind == "own":
        values["dvr"] = DvrSettings(**draw(st.fixed_dictionaries({"root": paths, **limits})), offline=offline)
    elif kind == "ref" and known:
        base = draw(st.sampled_from(list(known.values())))
        own = draw(st.fixed_dictionaries({}, optional=limits))
        if own.get("schedule") == ():
            del own["schedule"]
        same = {f: getattr(base, f) for f in ("root", *limits)}
        values["dvr"] = DvrSettings(**{**same, **own}, name=base.name, offline=offline)
    return values


@st.composite
def configs(draw: st.DrawFn) -> Config:
    roots = {name: DvrSettings(**values, name=name) for name, values in draw(dvrs).items()}
    templates = {
        name: TemplateSettings(name, draw(tuples(names | st.just(""))), draw(stream_values(roots)))
        for name in draw(st.sets(st.text("tuv", min_size=1, max_size=2), **several))
    }
    streams = {}
    for name in draw(st.sets(names, **several)):
        values = draw(stream_values(roots))
        template = draw(st.sampled_from([None, *templates]))
        streams[name] = templates[template].stream(name, values) if template else StreamSettings(name, **values)
    reserved = {name for name in SINK_RULES}
    filters = tuples(st.dictionaries(keys, word_lists, min_size=1, max_size=2))
    sinks = st.builds(
        EventSinkSettings,
        st.just(""),
        urls,
        filters,
        filters,
        st.integers(0, 99),
        st.none() | st.integers(0, 99),
        seconds,
        st.sampled_from([None, "debug"]),
        st.dictionaries(keys.filter(lambda k: k not in reserved), texts, **several),
    )
    sink_names = draw(st.sets(st.text("abc", min_size=1, max_size=2), **several))
    backend = st.builds(
        AuthBackendSettings,
        st.just("backend"),
        *(tuples(filled) for _ in range(2)),
        *(tuples(networks) for _ in range(2)),
        *(countries for _ in range(2)),
        *(tuples(filled) for _ in range(2)),
        tuples(urls),
        st.booleans(),
    )
    user = st.text("abc", min_size=1)
    credentials = st.none() | st.builds(Credentials, user, filled)
    state = draw(paths)
    return Config(
        http=draw(tuples(listeners)),
        https=draw(tuples(tls)),
        rtmp=draw(tuples(listeners)),
        edit_auth=draw(credentials),
        view_auth=draw(credentials),
        api_tokens=draw(
            st.dictionaries(user, st.text("xyz;{} ", min_size=8), **several).map(
                lambda d: tuple(ApiToken(k, v) for k, v in d.items())
            )
        ),
        api_allowed_from=draw(tuples(networks)),
        trusted_proxies=draw(tuples(networks)),
        state_dir=state,
        export_roots=draw(export_roots | st.sampled_from([(state + "/exports",), Config().export_roots])),
        auth_token=draw(texts),
        no_auto_token=draw(st.booleans()),
        session_keys=draw(word_lists),
        geoip="/var/lib/GeoIP/GeoLite2-Country.mmdb",
        dvrs=roots,
        templates=templates,
        streams=streams,
        event_sinks={name: EventSinkSettings(**{**as_dict(draw(sinks)), "name": name}) for name in sink_names},
        auth_backends={"backend": draw(backend)},
    )


def as_dict(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(configs(), st.booleans())
def test_any_configuration_is_read_back(config: Config, defaults: bool) -> None:
    text = write_config(config, secrets=True, defaults=defaults)
    again = parse_config(text)
    assert again == config
    assert write_config(again, secrets=True, defaults=defaults) == text


@pytest.mark.parametrize("defaults", [False, True])
def test_defaults(defaults: bool) -> None:
    text = write_config(parse_config("stream a;"), defaults=defaults)
    assert ("segment_duration 5;" in text) is defaults
    assert text.startswith("stream a;") is not defaults
