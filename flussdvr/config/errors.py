"""
What is wrong with a configuration: every finding with its place, all of them at once.

    flussdvr.conf:12:3: error: unknown stream directive 'inptu'; did you mean 'input'?
      inptu udp://239.0.0.1:1234;
      ^
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

MAX_FINDINGS = 500
"""Findings that are kept; more are only counted, so that a file of garbage costs no more than a file."""


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column count from 1, columns in characters; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One finding. `hint` is what to write instead, `source_line` the line of the file that it is about."""

    file: str
    line: int
    column: int
    message: str
    hint: str | None = None
    source_line: str | None = field(default=None, repr=False, compare=False)
    severity: str = "error"

    def __str__(self) -> str:
        place = Place(self.file, self.line, self.column)
        return f"{place}: {self.severity}: {self.message}" + (f"; {self.hint}" if self.hint else "")

    def document(self) -> dict[str, str | int | None]:
        """As the API shows it; `text` is the whole as one line."""
        place: dict[str, str | int | None] = {"file": self.file, "line": self.line, "column": self.column}
        return {**place, "message": self.message, "hint": self.hint, "text": str(self)}

    def explain(self) -> str:
        """The finding, the source line and a caret under the place."""
        if self.source_line is None:
            return str(self)
        # Tabs are kept in front of the caret, so that it stands right whatever the terminal makes of them.
        indent = "".join("\t" if c == "\t" else " " for c in self.source_line[: self.column - 1])
        return f"{self}\n{self.source_line}\n{indent}^"


class ConfigErrors(Exception):
    """The configuration cannot be used; `errors` says all that is wrong, `warnings` what was merely passed over."""

    def __init__(self, errors: Sequence[ConfigError], warnings: Sequence[ConfigError] = ()) -> None:
        self.errors = list(errors)
        self.warnings = list(warnings)
        super().__init__("\n".join(map(str, errors)))


class Misread(ValueError):
    """A value is not what its directive needs. Raised while one directive is read, caught where it is known."""

    def __init__(self, message: str, place: Place | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint


class Problems:
    """Collects findings in the order in which they are met."""

    def __init__(self) -> None:
        self.errors: list[ConfigError] = []
        self.warnings: list[ConfigError] = []
        self.lenient = False
        self._lines: dict[str, list[str]] = {}
        self._left_out = 0

    def source(self, file: str, text: str) -> None:
        """Remember the text of a file, to show its lines."""
        self._lines[file] = text.split("\n")

    def error(self, place: Place, message: str, hint: str | None = None) -> None:
        self._add(self.errors, place, message, hint, "error")

    def unsupported(self, place: Place, message: str, hint: str | None = None) -> None:
        """What an operator brings along from elsewhere: an error, or under `lenient;` a warning."""
        if self.lenient:
            self._add(self.warnings, place, f"{message}: ignored", hint, "warning")
        else:
            self._add(self.errors, place, message, hint, "error")

    def warn(self, place: Place, message: str, hint: str | None = None) -> None:
        """What can be used as it is, and was probably meant otherwise."""
        self._add(self.warnings, place, message, hint, "warning")

    def unknown(self, place: Place, what: str, name: str, known: Iterable[str]) -> None:
        full = len(self.errors) >= MAX_FINDINGS
        self.unsupported(place, f"unknown {what} {shown(name)}", None if full else nearest(name, known))

    def _add(self, to: list[ConfigError], place: Place, message: str, hint: str | None, severity: str) -> None:
        if len(to) >= MAX_FINDINGS:
            self._left_out += 1
            return
        lines = self._lines.get(place.file, [])
        line = lines[place.line - 1].rstrip("\r") if 0 < place.line <= len(lines) else None
        to.append(ConfigError(place.file, place.line, place.column, message, hint, line, severity))

    def in_order(self, findings: list[ConfigError]) -> list[ConfigError]:
        """By file as they were read, line and column."""
        order = {file: number for number, file in enumerate(self._lines)}
        return sorted(findings, key=lambda e: (order.get(e.file, -1), e.line, e.column))

    def check(self) -> tuple[ConfigError, ...]:
        """The warnings; raises ConfigErrors if there was any error."""
        warnings = self.in_order(self.warnings)
        if not self.errors:
            return tuple(warnings)
        errors = self.in_order(self.errors)
        if self._left_out:
            errors.append(ConfigError(errors[-1].file, 0, 0, f"{self._left_out} further findings are not shown"))
        raise ConfigErrors(errors, warnings)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """\"did you mean ...?\", or None where nothing is near."""
    # difflib is quadratic: a name longer than any of ours is near to none of them.
    found = get_close_matches(name, known, n=3, cutoff=0.6) if len(name) <= 64 else []
    return f"did you mean {' or '.join(map(shown, found))}?" if found else None


def shown(text: str) -> str:
    """A piece of the file inside a message: bounded, and with nothing in it that upsets a terminal."""
    text = text if len(text) <= 80 else text[:77] + "..."
    return "'" + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + "'"
