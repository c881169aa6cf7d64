"""
The syntax tree: directives with their words and blocks.

    file       directive*
    directive  word+ ";"   |   word+ "{" directive* "}" [";"]

Without recursion, so that no nesting of the input can exhaust the stack; after an error it goes on behind the
next mark, so that one run finds every error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flussdvr.config.errors import Place, Problems, shown
from flussdvr.config.lexer import Mark, Token, Word, tokens

MAX_NESTING = 16


@dataclass(frozen=True, slots=True)
class Directive:
    """`name words...;`, or with a block (which may be empty) `name words... { ... }`."""

    name: Word
    words: tuple[Word, ...] = ()
    block: tuple[Directive, ...] | None = None

    @property
    def place(self) -> Place:
        return self.name.place

    @property
    def positional(self) -> list[Word]:
        """The words that are no `key=value`."""
        return [word for word in self.words if word.equals < 0]

    @property
    def fields(self) -> list[Directive]:
        """`key=value` of the line and directives of the block, alike."""
        options = [Directive(Word(w.text[: w.equals], w.place), (w.value,)) for w in self.words if w.equals >= 0]
        return options + list(self.block or ())


@dataclass(slots=True)
class _Open:
    """A block that is still open."""

    head: list[Word]
    place: Place
    body: list[Directive] = field(default_factory=list)


def parse(text: str, file: str, problems: Problems) -> list[Directive]:
    """The directives of one file. Errors go to `problems`; what could be read in spite of them is returned."""
    problems.source(file, text)
    return _Parser(problems).parse(tokens(text, file, problems), file)


class _Parser:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._top: list[Directive] = []
        self._open: list[_Open] = []
        self._words: list[Word] = []
        self._after_block = False

    def parse(self, items: Iterator[Token], file: str) -> list[Directive]:
        for token in items:
            if isinstance(token, Word):
                self._words.append(token)
            elif token.text == "{" and len(self._open) == MAX_NESTING:
                self._problems.error(token.place, f"blocks are nested more than {MAX_NESTING} deep")
                self._open.clear()
                return self._top
            else:
                self._mark(token)
            self._after_block = isinstance(token, Mark) and token.text == "}"
        self._end()
        return self._top

    def _mark(self, mark: Mark) -> None:
        if mark.text == "{":
            if not self._words:
                self._problems.error(mark.place, "expected a directive before '{'")
            self._open.append(_Open(self._words, mark.place))
            self._words = []
        elif mark.text == ";":
            if self._words:
                self._finish(None)
            elif not self._after_block:  # `};` of old files is tolerated
                self._problems.error(mark.place, "expected a directive before ';'")
        else:
            self._close(mark.place)

    def _close(self, place: Place) -> None:
        if self._words:
            self._problems.error(place, f"expected ';' after {shown(self._words[-1].text)}, found '}}'")
            self._finish(None)
        if not self._open:
            self._problems.error(place, "this '}' closes nothing")
            return
        block = self._open.pop()
        self._words = block.head
        self._finish(tuple(block.body))

    def _end(self) -> None:
        if self._words:
            self._problems.error(self._words[-1].place, f"expected ';' after {shown(self._words[-1].text)}")
            self._finish(None)
        while self._open:
            block = self._open.pop()
            name = " ".join(word.text for word in block.head[:2])
            self._problems.error(block.place, f"the block of {shown(name)} is not closed", "expected '}'")
            self._words = block.head
            self._finish(tuple(block.body))

    def _finish(self, block: tuple[Directive, ...] | None) -> None:
        """The collected words become a directive; a block without a directive in front is dropped with its content."""
        words, self._words = self._words, []
        if words:
            to = self._open[-1].body if self._open else self._top
            to.append(Directive(words[0], tuple(words[1:]), block))
