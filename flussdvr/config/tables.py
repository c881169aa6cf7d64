"""
The tables of docs/configuration.md and the settings in the API's schema, made from the tables that the code reads.

    python -m flussdvr.config.tables      writes both anew, in the directory of the sources

In the document a table stands between `<!-- table NAME -->` and `<!-- end -->`; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from flussdvr.config import (
    auth_backend,
    authorization,
    dvr_options,
    event_sink,
    listener,
    server,
    stream_options,
    thumbnails,
)
from flussdvr.config.documents import properties
from flussdvr.config.dvr_options import DVR_FIELDS, STORAGE_FIELDS
from flussdvr.config.input_kind import InputKind, InputOption
from flussdvr.config.inputs import COMMON, KINDS, OPTIONS, PRIORITY, input_schema, schemes_of
from flussdvr.config.options import Option, keys
from flussdvr.config.stream import PREFIX
from flussdvr.config.stream_options import STREAM_FIELDS, TEMPLATE

DOCUMENT = "docs/configuration.md"
SCHEMA = "flussdvr/web/api/schema.json"

_TABLE = re.compile(r"(<!-- table ([a-z_ ]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "".join(line + "\n" for line in [*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _options(options: Iterable[Option], head: str = "option", others: str = "") -> str:
    """The table of options; `others` says what becomes of those that are not in it."""
    rows = [(f"`{one.name}`", one.argument or one.kind.argument, one.default, _help(one)) for one in options]
    return table(
        (head, "argument", "default", "meaning"),
        [*rows, ("any other", "text", "none", others)] if others else rows,
    )


def _server() -> str:
    """The table of what the whole server is told; its last column is examples."""
    return table(
        ("directive", "argument", "default", "meaning", "example"),
        ((f"`{one.name}`", one.kind.argument, one.default, _help(one), one.example) for one in server.OPTIONS),
    )


def _help(option: Option | InputOption) -> str:
    return option.help + "".join(f". Older name: `{name}`" for name in option.older)


def _inputs() -> str:
    return table(("URL", "is"), ((_urls(kind), kind.help) for kind in KINDS))


def _urls(kind: InputKind) -> str:
    return ", ".join((f"`{kind.example}`", *(f"`{scheme}://`" for scheme in kind.schemes[1:])))


def _input_options() -> str:
    options = [PRIORITY, *dict.fromkeys(OPTIONS.values())]
    return table(
        ("option", "argument", "default", "of", "meaning"),
        ((f"`{one.name}`", one.argument, one.default, _of(one), _help(one)) for one in options),
    )


def _of(option: InputOption) -> str:
    everywhere = option is PRIORITY or option in COMMON
    return "all" if everywhere else " ".join(f"`{scheme}`" for scheme in schemes_of(option))


def _fake_parameters() -> str:
    fake = next(kind for kind in KINDS if kind.name == "fake")
    return table(
        ("parameter", "argument", "default", "meaning"),
        ((f"`{one.name}`", one.argument, one.default, one.help) for one in fake.query or ()),
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "lenient": lambda: _options((server.LENIENT,), "directive"),
    "server": _server,
    "listener": lambda: _options((*listener.OPTIONS, *listener.TLS_OPTIONS)),
    "dvr": lambda: _options((dvr_options.ROOT, *dvr_options.OPTIONS)),
    "stream": lambda: _options((*stream_options.OPTIONS, stream_options.TEMPLATE), "directive"),
    "thumbnails": lambda: _options(thumbnails.OPTIONS),
    "authorization": lambda: _options(authorization.OPTIONS, others="told to the backend as it is"),
    "event sink": lambda: _options(event_sink.OPTIONS, others="passed along to the sink: a field of every event"),
    "auth backend": lambda: _options(auth_backend.OPTIONS),
    "template": lambda: _options((PREFIX,), "directive"),
    "inputs": _inputs,
    "input options": _input_options,
    "fake parameters": _fake_parameters,
}


def with_tables(document: str) -> str:
    """The document with its tables as they are now. KeyError for a table that nobody makes."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], document)


def tables_in(document: str) -> list[str]:
    return [found[2] for found in _TABLE.finditer(document)]


def with_settings(schema: str) -> str:
    """The text of the API's schema with the inputs and the settings as they are now; what is beside them stays."""
    document = json.loads(schema)
    components = document["components"]["schemas"]
    components["input"] = input_schema()
    streams = {**STREAM_FIELDS, **keys([TEMPLATE])}
    for name, fields, needed in (
        ("stream_config", streams, ()),
        ("dvr_settings", DVR_FIELDS, ()),
        ("dvr_config", STORAGE_FIELDS, ("root",)),
    ):
        components[name]["properties"] |= properties(fields, needed)
    return json.dumps(document, indent=1) + "\n"


def main() -> None:
    for name, made in ((DOCUMENT, with_tables), (SCHEMA, with_settings)):
        path = Path(__file__).parents[2] / name
        path.write_text(made(path.read_text()))


if __name__ == "__main__":
    main()
