"""
What the server as a whole is told: where to listen, who may do what, where its own files are.

    http 8080;  edit_auth USER PASSWORD;  api_token NAME KEY;  state_dir /srv/dvr/state;
"""

from __future__ import annotations

from flussdvr.config import doubts
from flussdvr.config.errors import Misread, shown
from flussdvr.config.export_root import EXPORT_ROOT
from flussdvr.config.lexer import quote
from flussdvr.config.listener import listener
from flussdvr.config.model import ApiToken, Credentials
from flussdvr.config.options import PATH, SESSION_KEYS, SWITCH, TEXT, Option, OptionKind, rules, several, word
from flussdvr.config.parser import Directive
from flussdvr.config.reading import Reading, Rule, Writing, line, no_block, surplus, the_word
from flussdvr.config.values import NETWORK, duration


def _pair(directive: Directive, what: str) -> tuple[str, str]:
    no_block(directive)
    if len(directive.words) < 2:
        raise Misread(f"expected {what} after {shown(directive.name.text)}")
    if len(directive.words) > 2:
        raise surplus(directive, directive.words[2])
    return directive.words[0].text, directive.words[1].text


def _credentials(argument: str) -> OptionKind:
    def read(directive: Directive, reading: Reading) -> Credentials:
        user, password = _pair(directive, "a user and a password")
        if not user or ":" in user or not password:
            raise Misread("expected a user without ':' and a password, neither empty")
        return Credentials(user, password)

    def write(name: str, value: Credentials | None, writing: Writing) -> list[str]:
        return [line(name, quote(value.user), quote(writing.secret(value.password)))] if value else []

    return OptionKind(argument, lambda field: Rule(field, read, write))


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


def _read_access_log(directive: Directive, reading: Reading) -> str:
    word = the_word(directive, "on, off or a path")
    if word.text in ("on", "off"):
        return word.text
    if "/" not in word.text or word.text.endswith("/"):
        raise Misread(f"expected on, off or the path of a file, found {shown(word.text)}", word.place)
    return reading.path(word.text)


_NETWORKS = "list of addresses and networks; repeatable"

LENIENT = Option(
    "lenient",
    "lenient",
    SWITCH,
    "unknown and unsupported directives, options and kinds of input are warnings and passed over, wherever in the "
    "files this stands. What restricts access (`on_play lua://...`, `domains`, `drm` ...) remains an error, because "
    "passing it over would open what was closed",
    "off",
)
OPTIONS = (
    Option(
        "http",
        "http",
        listener("http", "`PORT` or `ADDRESS:PORT`, repeatable; options `port`, `address`, `api`"),
        "where to listen",
        "none",
        example="`http 127.0.0.1:8080;` `http [::1]:8080;` `http 80 { api off; }`",
    ),
    Option(
        "https",
        "https",
        listener("https", "the same, with `certificate` and `certificate_key`, both needed"),
        "where to listen",
        "none",
        example="`https 443 { certificate /etc/tls.crt; certificate_key /etc/tls.key; }`",
    ),
    Option(
        "rtmp",
        "rtmp",
        listener("rtmp", "the same as `http`"),
        "where to listen",
        "none",
        example="`rtmp 1935;`",
    ),
    Option(
        "edit_auth",
        "edit_auth",
        _credentials("user, password"),
        "who may do everything through the API",
        "none: nobody may change anything",
        example='`edit_auth admin "a secret";`',
    ),
    Option(
        "view_auth",
        "view_auth",
        _credentials("user, password"),
        "who may read",
        "none",
        example="`view_auth viewer look;`",
    ),
    Option(
        "api_token",
        "api_tokens",
        OptionKind(
            "name, key of 8 characters or more; repeatable",
            lambda field: Rule(field, _read_api_token, _write_api_tokens, repeated=True),
        ),
        "who may do everything, by `Authorization: Bearer KEY`",
        "none",
        example="`api_token deploy 3f9c0a77e1;`",
    ),
    Option(
        "sign_in_lifetime",
        "sign_in_lifetime_s",
        word(duration(60, 365 * 86_400), "duration from `1m` to `365d`"),
        "how long a sign-in to the web page is kept while it is not used",
        "`12h`",
        example="`sign_in_lifetime 7d;`",
    ),
    Option(
        "api_allowed_from",
        "api_allowed_from",
        several(NETWORK, _NETWORKS, repeated=True),
        "the API and the sign-in answer these alone",
        "everywhere",
        example="`api_allowed_from 127.0.0.1 10.0.0.0/8;`",
    ),
    Option(
        "trusted_proxy",
        "trusted_proxies",
        several(NETWORK, _NETWORKS, doubts.network, repeated=True),
        "whose `X-Real-IP` and `X-Forwarded-*` (`-For`, `-Host`, `-Proto`) are believed",
        "nobody",
        example="`trusted_proxy 127.0.0.1;`",
    ),
    Option(
        "state_dir",
        "state_dir",
        PATH,
        "directory of the catalog, its copy `overrides.json` and `secret.key`, made at the first start; never of "
        "recordings. One server uses it at a time",
        "`/var/lib/flussdvr`",
        example="`state_dir /srv/dvr/state;`",
    ),
    Option(
        "export_root",
        "export_roots",
        OptionKind("path or [bucket](#object-stores), repeatable", lambda field: EXPORT_ROOT),
        "where server-side exports may be written to, beside the DVR roots",
        "`exports` in `state_dir`",
        example="`export_root /srv/exports;` `export_root s3s://KEY:SECRET@s3.example.com/bucket/dvr;`",
    ),
    Option(
        "auth_token",
        "auth_token",
        TEXT,
        "name of the query parameter that carries a viewer's token",
        "`token`",
        example="`auth_token key;`",
    ),
    Option(
        "no_auto_token",
        "no_auto_token",
        SWITCH,
        "a viewer without a token is refused, and not given one",
        "off",
        example="`no_auto_token;`",
    ),
    Option(
        "session_keys",
        "session_keys",
        SESSION_KEYS,
        "what makes a session, of `name` `ip` `proto` `token` `header.NAME`",
        "`name ip proto`",
        example="`session_keys name ip proto token;`",
    ),
    Option(
        "geoip",
        "geoip",
        PATH,
        "a database of countries in MaxMind's format (GeoLite2-Country, GeoLite2-City and the like); countries cannot "
        "be named without it. SIGHUP reads it again if the file has changed",
        "none",
        example="`geoip /usr/share/GeoIP/GeoLite2-Country.mmdb;`",
    ),
    Option(
        "access_log",
        "access_log",
        OptionKind(
            "`on`, `off` or path",
            lambda field: Rule(field, _read_access_log, lambda name, value, writing: [line(name, quote(value))]),
        ),
        "a line in the log for each request; or into a file instead, renamed to `path.1` ... `path.10` at 10 MB",
        "`on`",
        example="`access_log /var/log/flussdvr/access.log;`",
    ),
)
SERVER_RULES = rules((LENIENT, *OPTIONS))

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
