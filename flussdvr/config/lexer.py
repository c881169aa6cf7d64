"""
Words and marks of the configuration file.

    word      bare      any characters but white space ; { } "      (a # inside a word is part of it)
              "quoted"  with \\" and \\\\; every other backslash stands for itself; ends on its line
              key=bare  key="quoted"
    mark      ; { }
    comment   # to the end of the line, where a word could begin
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flussdvr.config.errors import Place, Problems

_SPACE = re.compile(r"(?:\s+|#[^\n]*)+")
_BARE = re.compile(r'[^\s{};"]+')
_QUOTED = re.compile(r'"([^"\\\n]*(?:\\[^\n][^"\\\n]*)*)"')
_ESCAPE = re.compile(r'\\(["\\])')
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*=")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NEEDS_QUOTES = re.compile(r'[\s{};"]|^#|^$')


@dataclass(frozen=True, slots=True)
class Word:
    """`equals` is where the `=` of `key=value` stands, or -1; whether it counts as one is its directive's matter."""

    text: str
    place: Place
    equals: int = -1

    @property
    def key(self) -> Word | None:
        return Word(self.text[: self.equals], self.place) if self.equals >= 0 else None

    @property
    def value(self) -> Word:
        place = Place(self.place.file, self.place.line, self.place.column + self.equals + 1)
        return Word(self.text[self.equals + 1 :], place)


@dataclass(frozen=True, slots=True)
class Mark:
    text: str
    place: Place


Token = Word | Mark


def tokens(text: str, file: str, problems: Problems) -> Iterator[Token]:
    """The tokens of a file, in one pass; what is no token is reported and passed over."""
    at, line, line_begin, size = 0, 1, 0, len(text)
    while at < size:
        if space := _SPACE.match(text, at):
            newlines = text.count("\n", at, space.end())
            if newlines:
                line, line_begin = line + newlines, text.rindex("\n", at, space.end()) + 1
            at = space.end()
            continue
        place = Place(file, line, at - line_begin + 1)
        if text[at] in ";{}":
            yield Mark(text[at], place)
            at += 1
            continue
        word, at = _word(text, at, place, problems)
        if _CONTROL.search(word.text):
            problems.error(place, "control characters are not allowed in a word")
        yield word


def _word(text: str, at: int, place: Place, problems: Problems) -> tuple[Word, int]:
    bare = _BARE.match(text, at)
    head = bare.group() if bare else ""
    key = _KEY.match(head)
    equals = key.end() - 1 if key else -1
    at += len(head)
    if not text.startswith('"', at):
        return Word(head, place, equals), at
    quote = Place(place.file, place.line, place.column + len(head))
    if head and not (key and key.end() == len(head)):
        problems.error(quote, "a quote in the middle of a word", "put quotes around the whole of it")
    quoted = _QUOTED.match(text, at)
    if quoted is None:
        return _unterminated(text, at, head, place, equals, problems, quote)
    end = quoted.end()
    if end < len(text) and (_BARE.match(text, end) or text[end] == '"'):
        problems.error(Place(place.file, quote.line, quote.column + end - at), "expected white space after the quote")
    return Word(head + _ESCAPE.sub(r"\1", quoted.group(1)), place, equals), end


def _unterminated(
    text: str, at: int, head: str, place: Place, equals: int, problems: Problems, quote: Place
) -> tuple[Word, int]:
    problems.error(quote, "this quote is not closed on its line", 'expected "')
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    # The mark that probably stands behind the forgotten quote ends the directive: the next line is read as usual.
    rest = text[at + 1 : end].rstrip()
    while rest and rest[-1] in ";{}":
        rest = rest[:-1].rstrip()
    return Word(head + _CONTROL.sub("", rest), place, equals), at + 1 + len(rest)


def quote(text: str) -> str:
    """`text` as one word that is no option: bare where that is possible."""
    return _quoted(text) if _NEEDS_QUOTES.search(text) or _KEY.match(text) else text


def quote_value(text: str) -> str:
    """`text` as what follows `key=`."""
    return _quoted(text) if _NEEDS_QUOTES.search(text) else text


def is_key(text: str) -> bool:
    """Whether `text` can stand before the `=` of an option."""
    return _KEY.fullmatch(text + "=") is not None


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
