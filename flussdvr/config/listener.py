"""
Where to listen.

    http 8080;  http 127.0.0.1:8080;  https 443 { certificate F; certificate_key F; api off; }  rtmp 1935;
"""

from __future__ import annotations

from dataclasses import replace

from flussdvr.config.errors import Misread, shown
from flussdvr.config.lexer import Word
from flussdvr.config.model import Listener
from flussdvr.config.options import PATH, SWITCH, Option, OptionKind, rules, whole
from flussdvr.config.parser import Directive
from flussdvr.config.reading import Reading, Rule, Writing, block, read_fields, read_value, simple, surplus, written
from flussdvr.config.values import ADDRESS, integer

PORT = integer(0, 65535)

OPTIONS = (
    Option("port", "port", whole(0, 65535), "in place of the argument; 0 is any free port", "needed"),
    Option(
        "address",
        "address",
        OptionKind("IP address, `*` for every one", lambda field: simple(field, ADDRESS)),
        "in place of the argument",
        "`*`",
    ),
    Option("api", "api", SWITCH, "off: this listener serves viewers only, no API and no web page", "on"),
)
TLS_OPTIONS = (
    Option("certificate", "certificate", PATH, "a PEM file; `https` only", "needed"),
    Option("certificate_key", "certificate_key", PATH, "a PEM file; `https` only", "needed"),
)
_UNSUPPORTED = dict.fromkeys("read_timeout write_timeout ssl_protocols ssl_ciphers http2".split(), "")


def listener(protocol: str, argument: str) -> OptionKind:
    """The listeners of one protocol; only those of `https` have certificates."""
    allowed = rules((*OPTIONS, *TLS_OPTIONS) if protocol == "https" else OPTIONS)

    def read(directive: Directive, reading: Reading) -> tuple[Listener, ...]:
        words = directive.positional
        if len(words) > 1:
            raise surplus(directive, words[1])
        values, places = read_fields(allowed, directive.fields, "listener option", reading, _UNSUPPORTED)
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
            options = {name: rule for name, rule in allowed.items() if name not in ("port", "address")}
            body = written(options, each, Listener(0), replace(writing, defaults=False))
            lines += block(f"{name} {host}{each.port}", body)
        return lines

    return OptionKind(argument, lambda field: Rule(field, read, write, repeated=True))


def _address_port(word: Word, address: str) -> tuple[str, int]:
    host, colon, port = word.text.rpartition(":")
    if not port.isdigit():
        raise Misread(f"expected a port or address:port, found {shown(word.text)}", word.place)
    number = read_value(PORT, Word(port, word.place))
    return (read_value(ADDRESS, Word(host, word.place)) if colon else address), number
