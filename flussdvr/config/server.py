"""
What the server as a whole is told: where to listen, who may do what, where events go.

    http 8080;  http 127.0.0.1:8080;  https 443 { certificate F; certificate_key F; api off; }  rtmp 1935;
    edit_auth USER PASSWORD;  view_auth USER PASSWORD;  api_token NAME KEY;  sign_in_lifetime 12h;
    event_sink NAME { url http://...; only event=a,b media=cam*; except media=test; }
    auth_backend NAME { allow ip 10.0.0.0/8; deny ua "Mozilla/5.0 (X11)"; backend http://...; allow default; }
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flussdvr.config import doubts
from flussdvr.config.countries import COUNTRY
from flussdvr.config.errors import Misread, nearest, shown
from flussdvr.config.export_root import EXPORT_ROOT
from flussdvr.config.lexer import Word, quote, quote_value
from flussdvr.config.model import (
    ApiToken,
    AuthBackendSettings,
    Credentials,
    EventSinkSettings,
    Filter,
    Listener,
)
from flussdvr.config.parser import Directive
from flussdvr.config.reading import (
    Reading,
    Rule,
    Writing,
    block,
    extra,
    flag,
    line,
    listed,
    no_block,
    path,
    read_fields,
    read_value,
    simple,
    surplus,
    the_word,
    written,
)
from flussdvr.config.urls import read_scheme
from flussdvr.config.values import ADDRESS, DURATION, HTTP_URL, NETWORK, SIZE, Kind, choice, duration, integer, split
from flussdvr.logs.redaction import redact_url

PORT = integer(0, 65535)

_LISTENER = {"port": simple("port", PORT), "address": simple("address", ADDRESS), "api": flag("api")}
_TLS = {"certificate": path("certificate"), "certificate_key": path("certificate_key")}
_LISTENER_UNSUPPORTED = dict.fromkeys("read_timeout write_timeout ssl_protocols ssl_ciphers http2".split(), "")


def _listener(protocol: str) -> Rule:
    rules: dict[str, Rule] = {**_LISTENER, **(_TLS if protocol == "https" else {})}

    def read(directive: Directive, reading: Reading) -> tuple[Listener, ...]:
        words = directive.positional
        if len(words) > 1:
            raise surplus(directive, words[1])
        values, places = read_fields(rules, directive.fields, "listener option", reading, _LISTENER_UNSUPPORTED)
        if words:
            values["address"], values["port"] = _address_port(words[0], values.get("address", ""))
        if "port" not in values:
            if "port" in places:
                return ()
            raise Misread(f"expected a port or address:port after '{protocol}'")
        if protocol == "https" and not {"certificate", "certificate_key"} <= places.keys():
            raise Misread("https needs certificate FILE; and certificate_key FILE;")
        return (Listener(**values),)

    def write(name: str, listeners: tuple[Listener, ...], writing: Writing) -> list[str]:
        lines = []
        for each in listeners:
            host = f"[{each.address}]:" if ":" in each.address else f"{each.address}:" if each.address else ""
            options = {n: r for n, r in rules.items() if n not in ("port", "address")}
            body = written(options, each, Listener(0), replace(writing, defaults=False))
            lines += block(f"{name} {host}{each.port}", body)
        return lines

    return Rule(protocol, read, write, repeated=True)


def _address_port(word: Word, address: str) -> tuple[str, int]:
    host, colon, port = word.text.rpartition(":")
    if not port.isdigit():
        raise Misread(f"expected a port or address:port, found {shown(word.text)}", word.place)
    number = read_value(PORT, Word(port, word.place))
    return (read_value(ADDRESS, Word(host, word.place)) if colon else address), number


def _pair(directive: Directive, what: str) -> tuple[str, str]:
    no_block(directive)
    if len(directive.words) < 2:
        raise Misread(f"expected {what} after {shown(directive.name.text)}")
    if len(directive.words) > 2:
        raise surplus(directive, directive.words[2])
    return directive.words[0].text, directive.words[1].text


def _credentials(field: str) -> Rule:
    def read(directive: Directive, reading: Reading) -> Credentials:
        user, password = _pair(directive, "a user and a password")
        if not user or ":" in user or not password:
            raise Misread("expected a user without ':' and a password, neither empty")
        return Credentials(user, password)

    def write(name: str, value: Credentials | None, writing: Writing) -> list[str]:
        return [line(name, quote(value.user), quote(writing.secret(value.password)))] if value else []

    return Rule(field, read, write)


def _read_api_token(directive: Directive, reading: Reading) -> tuple[ApiToken, ...]:
    name, key = _pair(directive, "a name and a key")
    if not name or len(key) < 8:
        raise Misread("expected a name and a key of 8 characters or more")
    if name in (names := reading.declared.setdefault("api_token", set())):
        raise Misread(f"api_token {shown(name)} is given twice")
    names.add(name)
    return (ApiToken(name, key),)


def _write_api_tokens(name: str, value: tuple[ApiToken, ...], writing: Writing) -> list[str]:
    return [line(name, quote(token.name), quote(writing.secret(token.key))) for token in value]


_API_TOKEN = Rule("api_tokens", _read_api_token, _write_api_tokens, repeated=True)


def _read_access_log(directive: Directive, reading: Reading) -> str:
    word = the_word(directive, "on, off or a path")
    if word.text in ("on", "off"):
        return word.text
    if "/" not in word.text or word.text.endswith("/"):
        raise Misread(f"expected on, off or the path of a file, found {shown(word.text)}", word.place)
    return reading.path(word.text)


SERVER_RULES: dict[str, Rule] = {
    "lenient": flag("lenient"),
    "http": _listener("http"),
    "https": _listener("https"),
    "rtmp": _listener("rtmp"),
    "edit_auth": _credentials("edit_auth"),
    "view_auth": _credentials("view_auth"),
    "api_token": _API_TOKEN,
    "sign_in_lifetime": simple("sign_in_lifetime_s", duration(60, 365 * 86_400)),
    "api_allowed_from": listed("api_allowed_from", NETWORK, repeated=True),
    "trusted_proxy": listed("trusted_proxies", NETWORK, repeated=True, doubt=doubts.network),
    "state_dir": path("state_dir"),
    "export_root": EXPORT_ROOT,
    "auth_token": simple("auth_token"),
    "no_auto_token": flag("no_auto_token"),
    "session_keys": listed("session_keys", doubt=doubts.session_key),
    "geoip": path("geoip"),
    "access_log": Rule("access_log", _read_access_log, lambda name, value, writing: [line(name, quote(value))]),
}

BLOCKS = ("dvr", "template", "stream", "ondemand", "event_sink", "auth_backend")
"""Directives of the top level that have a name of their own."""

SERVER_UNSUPPORTED: dict[str, str] = {
    **dict.fromkeys(
        "rtmps rtsp rtsps srt srt_play srt_publish sip snmp turn webrtc mss mysql cluster_key loglevel log_requests "
        "session_log pulsedb wwwroot total_bandwidth max_sessions url_prefix aliaser init_script cache peer "
        "source balancer config_external web_script file vod iptv transcoder playback_headers "
        "ssl_certificate ssl_protocols ssl_ciphers letsencrypt dvb_card plugin drm rpc_auth client_timeout "
        "hls_scte35 chunk_duration pulse license rproxy central streamer_central layout dvr_offline push logger "
        "api_tokens listeners include mpegts on_play on_publish motion_detector vision "
        "dvb decklink openmetrics http_proxy proxy_protocol rtmp_play publish auth nomulticast".split(),
        "",
    ),
    "admin_http": "use http PORT;",
    "admin_https": "use https PORT;",
    "live": "use template NAME { prefix PREFIX; }",
    "notify": "use event_sink NAME { url URL; }",
    "include": "put files into conf.d/ beside this one",
    "loglevel": "use the --log-level of twist",
    "cluster_key": "",
    "on_play": "put it into a template",
    "on_publish": "put it into a template",
    "certificate": "put it into https PORT { }",
    "certificate_key": "put it into https PORT { }",
}


# -- event sinks


def _filters(field: str) -> Rule:
    def read(directive: Directive, reading: Reading) -> tuple[Filter, ...]:
        no_block(directive)
        found: dict[str, tuple[str, ...]] = {}
        for word in directive.words:
            values = tuple(split([word.value.text]))
            if word.key is None or not values:
                raise Misread(f"expected key=value such as event=stream_*, found {shown(word.text)}", word.place)
            if word.key.text in found:
                raise Misread(f"{shown(word.key.text)} is given twice", word.place, "list the values with commas")
            found[word.key.text] = values
            for pattern in values:
                reading.filtered.append((word.place, word.key.text, pattern))
        if not found:
            raise Misread(f"expected key=value after {shown(directive.name.text)}")
        if field == "except_" and all("*" in patterns for patterns in found.values()):
            reading.problems.warn(
                directive.place, "this excepts every event that has such a field: the sink is told none"
            )
        return (found,)

    def write(name: str, value: tuple[Filter, ...], writing: Writing) -> list[str]:
        return [line(name, *(f"{k}={quote_value(','.join(v))}" for k, v in each.items())) for each in value]

    return Rule(field, read, write, repeated=True)


def _read_sink_url(text: str) -> str:
    path = text
    if not text.startswith("/"):
        scheme = read_scheme(text, ("http", "https", "log", "jsonlog"), ("lua", "pid"))
        path = text.partition("://")[2] if scheme.endswith("log") else "/url"
        text = scheme + text[len(scheme) :]
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise Misread(f"expected the absolute path of a file as in {text.partition('/')[0]}///var/log/events.log")
    if path.endswith(".lua"):
        raise Misread("scripts are not run here")
    return text


SINK_RULES: dict[str, Rule] = {
    "url": simple("url", Kind(_read_sink_url)),
    "only": _filters("only"),
    "except": _filters("except_"),
    "throttle_delay": simple("throttle_delay_s", DURATION, doubt=doubts.delay),
    "resend_limit": simple("resend_limit", integer(0, 10_000_000)),
    "resend_timeout": simple("resend_timeout_s", DURATION, doubt=doubts.timeout),
    "resend_notifications_limit": simple("resend_limit", integer(0, 10_000_000)),
    "resend_notifications_timeout": simple("resend_timeout_s", DURATION, doubt=doubts.timeout),
    "max_size": simple("max_size", SIZE, doubt=doubts.log_size),
    "max_depth": simple("max_depth", integer(0, 10_000)),
    "level": simple("level", choice(*"debug info notice warning error alert critical".split())),
    "verbose": simple("level", choice(*"debug info notice warning error alert critical".split())),
}


def read_event_sink(directive: Directive, reading: Reading) -> EventSinkSettings:
    rest = replace(directive, words=directive.words[1:])
    if rest.positional:
        raise surplus(rest, rest.positional[0])
    others: dict[str, str] = {}
    take = extra(others, reading, "event_sink", SINK_RULES, "it is added to each event and changes nothing here")
    values, places = read_fields(
        SINK_RULES,
        rest.fields,
        "event_sink option",
        reading,
        other=take,
    )
    if "url" not in values:
        if "url" not in places:
            near = [key for key in others if nearest(key, ["url"])]
            hint = f"did you mean url where it says {shown(near[0])}?" if near else "expected url http://...;"
            raise Misread(f"event_sink {shown(directive.words[0].text)} has no url", hint=hint)
        values["url"] = ""
    return EventSinkSettings(directive.words[0].text, **values, extra=others)


def write_event_sink(sink: EventSinkSettings, writing: Writing) -> list[str]:
    lines = written(SINK_RULES, sink, EventSinkSettings("", ""), writing)
    lines += [line(key, quote(writing.extra(key, value))) for key, value in sink.extra.items()]
    return block(f"event_sink {quote(sink.name)}", lines)


# -- auth backends

_SUBJECTS: Mapping[str, tuple[str, Kind]] = {
    "token": ("tokens", Kind(str, secret=True)),
    "ip": ("ips", NETWORK),
    "country": ("countries", COUNTRY),
    "ua": ("uas", Kind(str)),
}


def read_auth_backend(directive: Directive, reading: Reading) -> AuthBackendSettings:
    rest = replace(directive, words=directive.words[1:])
    if rest.positional:
        raise surplus(rest, rest.positional[0])
    lists: dict[str, tuple[Any, ...]] = {}
    allow_default: list[bool] = []

    def read_verdict(statement: Directive, _: Reading) -> tuple[()]:
        verdict = statement.name.text
        no_block(statement)
        words = statement.words
        if len(words) == 1 and words[0].text == "default":
            allow_default.append(verdict == "allow")
            return ()
        if len(words) < 2 or words[0].text not in _SUBJECTS:
            raise Misread(f"expected {verdict} token|ip|country|ua VALUE or {verdict} default")
        name, kind = _SUBJECTS[words[0].text]
        if kind is COUNTRY:
            reading.need_geoip(words[0].place)
        key = f"{verdict}_{name}"
        values = tuple(read_value(kind, word) for word in words[1:])
        lists[key] = lists.get(key, ()) + values
        if kind is NETWORK and verdict == "allow":
            for word, value in zip(words[1:], values, strict=True):
                reading.doubt(word, value, doubts.everybody)
        return ()

    def read_backend(statement: Directive, _: Reading) -> tuple[str, ...]:
        return (str(read_value(HTTP_URL, the_word(statement, "a URL"))),)

    nothing = Rule("verdicts", read_verdict, lambda *_: [], repeated=True)
    backend = Rule("backends", read_backend, lambda *_: [], repeated=True)
    rules = {"allow": nothing, "deny": nothing, "backend": backend}
    values, _ = read_fields(rules, rest.fields, "auth_backend option", reading)
    values.pop("verdicts", None)
    if not any(key.startswith("allow_") for key in lists) and not values.get("backends") and True not in allow_default:
        reading.problems.warn(directive.place, f"{shown(directive.words[0].text)} lets nobody in", "say allow default;")
    return AuthBackendSettings(directive.words[0].text, **lists, **values, allow_default=True in allow_default)


def write_auth_backend(backend: AuthBackendSettings, writing: Writing) -> list[str]:
    lines = []
    for subject, (name, kind) in _SUBJECTS.items():
        for verdict in ("allow", "deny"):
            for value in getattr(backend, f"{verdict}_{name}"):
                lines.append(line(verdict, subject, quote(writing.secret(value) if kind.secret else kind.write(value))))
    lines += [line("backend", quote(url if writing.secrets else redact_url(url))) for url in backend.backends]
    lines += [line("allow", "default")] if backend.allow_default else []
    return block(f"auth_backend {quote(backend.name)}", lines)
