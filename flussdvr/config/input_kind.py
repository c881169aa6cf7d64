"""
What one kind of input is, as plain values: its URLs, its options, and how both are checked and described.

    InputKind("udp", schemes=("udp", "rtp"), options=(PROGRAM, ...), query=(...), check=needs_port)
    InputOption("program", "1 to 65535", "of a transport stream ...", kind=integer(1, 65535))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

from flussdvr.config.doubts import Doubt
from flussdvr.config.values import TEXT, Kind

UrlCheck = Callable[[str, SplitResult], None]
"""Of the URL's text with its scheme in lower case, and its parts. Raises Misread with what is missing."""
OptionDoubt = Callable[[str, str], str | None]
"""Of the name of an option and the URL: why it changes nothing there, in a sentence."""


@dataclass(frozen=True, slots=True)
class InputOption:
    """
    `name=value` behind the URL of an input, or a parameter in its query.

    `argument`, `default` and `help` are for documents. `older` are names that are read and never written. `kind` reads
    the file's text, `doubt` may warn of what it read; `json_type` is the type in the API's schema.
    """

    name: str
    argument: str
    help: str
    default: str = ""
    older: tuple[str, ...] = ()
    kind: Kind = TEXT
    doubt: Doubt | None = None
    json_type: str = "string"

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON Schema. A number may be sent as a text, as the file has it."""
        also = {"x-also": ["string"]} if self.json_type != "string" else {}
        return {"type": self.json_type, "description": self.help, **also}


def anything(text: str, url: SplitResult) -> None:
    """Any URL of the scheme will do."""


@dataclass(frozen=True, slots=True)
class InputKind:
    """
    One kind of input. Its factory is bound to `name` in `ingest.registry`.

    `example` is a URL and `help` says what it is, for documents. `options` are those that mean something to this kind,
    beside those of every input. `query`: the parameters that we read in the URL's query, None where the query is
    somebody else's; `foreign` are those that other programs write there and that we pass over.
    """

    name: str
    schemes: tuple[str, ...]
    example: str
    help: str
    options: tuple[InputOption, ...] = ()
    query: tuple[InputOption, ...] | None = None
    foreign: tuple[str, ...] = ()
    check: UrlCheck = anything
    doubt: OptionDoubt = lambda name, url: None

    @property
    def parameters(self) -> tuple[str, ...] | None:
        """Every name that may stand in the query; None where the query is somebody else's."""
        return None if self.query is None else (*(one.name for one in self.query), *self.foreign)
