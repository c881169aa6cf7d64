"""
The configuration as values: what the file says after templates, references, defaults and units are applied.

All are frozen and comparable: a reload stops, starts and leaves alone by `==`. Times carry their unit in the name,
sizes are bytes, paths are absolute. `None` means not set, and for a limit: no limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from flussdvr.config.errors import ConfigError
from flussdvr.config.names import stream_name_problem

IPNetwork = IPv4Network | IPv6Network
Filter = Mapping[str, tuple[str, ...]]
"""Of an event sink: every key must match one of its values (`*` is a wildcard)."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen; `address` empty is every address, port 0 any free port. `api` False hides the API there."""

    port: int
    address: str = ""
    api: bool = True
    certificate: str | None = None
    certificate_key: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiToken:
    name: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    Where in an object store exports may go: objects `prefix/...` of the bucket `name` at `host` (in lower case, with
    its port where that is not the scheme's). The store speaks S3 and lets `key` in.
    """

    host: str
    name: str
    key: str
    secret: str = field(repr=False)
    prefix: str = ""
    tls: bool = True
    region: str = "us-east-1"

    @property
    def url(self) -> str:
        """Without credentials."""
        return f"{'s3s' if self.tls else 's3'}://{self.host}/{self.name}"

    @property
    def place(self) -> str:
        """With the prefix, without credentials: what a destination begins with."""
        return f"{self.url}/{self.prefix}" if self.prefix else self.url

    @property
    def endpoint(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}"


@dataclass(frozen=True, slots=True)
class DvrSettings:
    """
    Where and how much to record.

    `storage_limit` in bytes, `disk_usage_limit` in percent of the whole disk, `schedule` pairs of hhmm (UTC) between
    which to record, `name` the `dvr NAME {}` that this is or refers to, `offline` records only on an API command.
    """

    root: str
    expiration_s: int | None = None
    storage_limit: int | None = None
    disk_usage_limit: int | None = None
    sync_interval_s: int = 5
    name: str | None = None
    schedule: tuple[tuple[int, int], ...] = ()
    copy: str | None = field(default=None, repr=False)
    offline: bool = False


@dataclass(frozen=True, slots=True)
class InputSettings:
    """One source; the smallest `priority` that works is taken. `options` are the words of its own kind of input."""

    url: str
    priority: int = 1
    options: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ThumbnailSettings:
    """`enabled` True, or "ondemand": pictures are made when asked for; `url` fetches them; `sizes` (width, height)."""

    enabled: bool | str = True
    url: str | None = None
    sizes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """`on_play` and `on_publish`: who is asked (`http(s)://`, `auth://NAME`, `securetoken://KEY`), and limits."""

    url: str
    session_keys: tuple[str, ...] | None = None
    max_sessions: int | None = None
    soft_limitation: bool = False
    allowed_countries: tuple[str, ...] = ()
    disallowed_countries: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """
    One stream, complete.

    `input_timeout_s` without data an input is given up, `clients_timeout_s` without viewers a stream that is not
    `static` stops; both None: never. `protocols` None allows all.
    """

    name: str
    inputs: tuple[InputSettings, ...] = ()
    dvr: DvrSettings | None = None
    segment_duration_ms: int = 5000
    segment_count: int = 4
    hls_container: str = "fmp4"
    password: str | None = field(default=None, repr=False)
    input_timeout_s: int | None = 10
    clients_timeout_s: int | None = 60
    static: bool = True
    disabled: bool = False
    thumbnails: ThumbnailSettings | None = None
    on_play: AuthSettings | None = None
    on_publish: AuthSettings | None = None
    protocols: tuple[str, ...] | None = None
    session_keys: tuple[str, ...] | None = None
    title: str | None = None
    comment: str | None = None
    provider: str | None = None
    position: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    template: str | None = None


STREAM_DEFAULTS: Mapping[str, Any] = {
    f.name: getattr(StreamSettings(""), f.name) for f in fields(StreamSettings) if f.name != "name"
}


@dataclass(frozen=True, slots=True)
class TemplateSettings:
    """What its streams have in common: `values` are those fields of StreamSettings that the template sets."""

    name: str
    prefixes: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def stream(self, name: str, values: Mapping[str, Any] | None = None) -> StreamSettings:
        """A stream of this template; its own `values` take the place of the template's."""
        return StreamSettings(**{**self.values, **(values or {}), "name": name, "template": self.name})


@dataclass(frozen=True, slots=True)
class EventSinkSettings:
    """
    Events that match any of `only` (or all, if there is none) and none of `except_` are sent to `url`.

    `url` is `http(s)://` or a file: `jsonlog:///path`, `log:///path` or `/path`, of which `max_depth` old ones of
    `max_size` bytes are kept.
    """

    name: str
    url: str
    only: tuple[Filter, ...] = field(default=(), hash=False)
    except_: tuple[Filter, ...] = field(default=(), hash=False)
    throttle_delay_s: int = 0
    resend_limit: int | None = None
    resend_timeout_s: int = 10
    level: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)
    max_size: int | None = None
    max_depth: int | None = None


@dataclass(frozen=True, slots=True)
class AuthBackendSettings:
    """`on_play auth://NAME;`: lists in the order allow token, deny token, allow ip ... ua, then the backends."""

    name: str
    allow_tokens: tuple[str, ...] = field(default=(), repr=False)
    deny_tokens: tuple[str, ...] = field(default=(), repr=False)
    allow_ips: tuple[IPNetwork, ...] = ()
    deny_ips: tuple[IPNetwork, ...] = ()
    allow_countries: tuple[str, ...] = ()
    deny_countries: tuple[str, ...] = ()
    allow_uas: tuple[str, ...] = ()
    deny_uas: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    allow_default: bool = False


ACCESS_LOG = "@access_log"
"""The name of the sink that `access_log PATH` makes; no sink of the file can be called so."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file with its `conf.d`. `warnings` are what `lenient;` passed over."""

    http: tuple[Listener, ...] = ()
    https: tuple[Listener, ...] = ()
    rtmp: tuple[Listener, ...] = ()
    edit_auth: Credentials | None = None
    view_auth: Credentials | None = None
    api_tokens: tuple[ApiToken, ...] = ()
    sign_in_lifetime_s: int = 43_200
    api_allowed_from: tuple[IPNetwork, ...] = ()
    trusted_proxies: tuple[IPNetwork, ...] = ()
    state_dir: str = "/var/lib/flussdvr"
    export_roots: tuple[str | Bucket, ...] = ("/var/lib/flussdvr/exports",)
    auth_token: str = "token"
    no_auto_token: bool = False
    session_keys: tuple[str, ...] = ("name", "ip", "proto")
    geoip: str | None = None
    access_log: str = "on"
    """`on`: requests are in the log, `off`: they are not, else the path of a file for them."""
    dvrs: Mapping[str, DvrSettings] = field(default_factory=dict, hash=False)
    templates: Mapping[str, TemplateSettings] = field(default_factory=dict, hash=False)
    streams: Mapping[str, StreamSettings] = field(default_factory=dict, hash=False)
    event_sinks: Mapping[str, EventSinkSettings] = field(default_factory=dict, hash=False)
    auth_backends: Mapping[str, AuthBackendSettings] = field(default_factory=dict, hash=False)
    lenient: bool = False
    warnings: tuple[ConfigError, ...] = field(default=(), compare=False, repr=False)

    @property
    def told(self) -> Mapping[str, EventSinkSettings]:
        """Who is told events: the sinks, and the file of requests, if there is one."""
        if self.access_log in ("on", "off"):
            return self.event_sinks
        only = ({"event": ("web_request",)},)
        return {**self.event_sinks, ACCESS_LOG: EventSinkSettings(ACCESS_LOG, f"log://{self.access_log}", only=only)}

    def stream_for(self, name: str) -> StreamSettings | None:
        """
        The configured stream, or the one that a template's prefix makes of `name`; None where neither knows it.

        The longest prefix wins; the prefix "" is for any name. A template without inputs is published to.
        """
        if (stream := self.streams.get(name)) is not None or stream_name_problem(name) is not None:
            return stream
        found: tuple[int, TemplateSettings] | None = None
        for template in self.templates.values():
            for prefix in template.prefixes:
                if (not prefix or name.startswith(prefix + "/")) and (found is None or len(prefix) > found[0]):
                    found = len(prefix), template
        if found is None:
            return None
        made = {} if found[1].values.get("inputs") else {"inputs": (InputSettings("publish://"),)}
        return found[1].stream(name, made)

    @property
    def roots(self) -> frozenset[str]:
        """Every directory that is recorded to."""
        dvrs = [*self.dvrs.values(), *(s.dvr for s in self.streams.values())]
        dvrs += [template.values.get("dvr") for template in self.templates.values()]
        return frozenset(dvr.root for dvr in dvrs if dvr is not None)
