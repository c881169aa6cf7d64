"""Words, marks, directives: rows of text and tree, and what each mistake is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flussdvr.config.errors import MAX_FINDINGS, Problems
from flussdvr.config.lexer import Word, is_key, quote, quote_value, tokens
from flussdvr.config.parser import MAX_NESTING, Directive, parse


def tree(text: str) -> object:
    """Directives as nested lists of words, a block as a list at the end."""
    problems = Problems()
    found = plain(parse(text, "f", problems))
    assert not problems.errors
    return found


def plain(directives: object) -> list[list[object]]:
    assert isinstance(directives, list | tuple)
    return [
        [d.name.text, *(w.text for w in d.words), *([plain(d.block)] if d.block is not None else [])]
        for d in directives
        if isinstance(d, Directive)
    ]


def errors(text: str) -> list[str]:
    problems = Problems()
    parse(text, "f", problems)
    return [str(error) for error in problems.errors]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("http 8080;", [["http", "8080"]]),
        ("http 8080;  rtmp 1935;  # later", [["http", "8080"], ["rtmp", "1935"]]),
        ("a{b c;d{}}", [["a", [["b", "c"], ["d", []]]]]),
        ("a { b; };\nc;", [["a", [["b"]]], ["c"]]),
        ("a b=c { d; }", [["a", "b=c", [["d"]]]]),
        ('a "b c" "" "x;{}#y";', [["a", "b c", "", "x;{}#y"]]),
        (r'a "say \"so\" \\ \d";', [["a", r'say "so" \ \d']]),
        ('a b="c d"; ', [["a", "b=c d"]]),
        ("input http://x/a#b?c=1;", [["input", "http://x/a#b?c=1"]]),
        ("a # ; { }\n b;", [["a", "b"]]),
        ("a\r\n\tb;\r\n", [["a", "b"]]),
        ("a;#\n#\n", [["a"]]),
        ("камера é;", [["камера", "é"]]),
    ],
)
def test_tree(text: str, expected: object) -> None:
    assert tree(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", ["f:1:3: error: expected ';' after 'b'"]),
        ("a { b }", ["f:1:7: error: expected ';' after 'b', found '}'"]),
        ("a {\n b;\n", ["f:1:3: error: the block of 'a' is not closed; expected '}'"]),
        ("a; }\nb;", ["f:1:4: error: this '}' closes nothing"]),
        (";", ["f:1:1: error: expected a directive before ';'"]),
        ("a;;", ["f:1:3: error: expected a directive before ';'"]),
        ("{ a; }", ["f:1:1: error: expected a directive before '{'"]),
        ('a "b;\nc;', ['f:1:3: error: this quote is not closed on its line; expected "']),
        ('a b"c";', ["f:1:4: error: a quote in the middle of a word; put quotes around the whole of it"]),
        ('a "b"c;', ["f:1:6: error: expected white space after the quote"]),
        ('a "b\0c";', ["f:1:3: error: control characters are not allowed in a word"]),
    ],
)
def test_errors(text: str, expected: list[str]) -> None:
    assert errors(text) == expected


def test_goes_on_after_an_error() -> None:
    problems = Problems()
    found = plain(parse('a "b;\nc { d\n }\n } e f;', "f", problems))
    assert found == [["a", "b"], ["c", [["d"]]], ["e", "f"]]
    assert [(e.line, e.column) for e in problems.errors] == [(1, 3), (3, 2), (4, 2)]


def test_option_is_told_from_argument() -> None:
    words = [t for t in tokens('u://h?a=b a=b "a=b" a="b" a= =b;', "f", Problems()) if isinstance(t, Word)]
    assert [w.key.text if w.key else None for w in words] == [None, "a", None, "a", "a", None]
    assert [words[i].value.text for i in (1, 3, 4)] == ["b", "b", ""]
    assert words[1].value.place.column == 13


def test_nesting_is_bounded() -> None:
    assert errors("a {" * MAX_NESTING + "}" * MAX_NESTING) == []
    assert len(errors("a {" * 100_000)) == 1


def test_findings_are_bounded() -> None:
    assert len(errors(";" * 100_000)) == MAX_FINDINGS


def test_caret_stands_under_the_place() -> None:
    problems = Problems()
    parse('\ta\t"b', "f", problems)
    assert problems.errors[0].explain().split("\n")[1:] == ['\ta\t"b', "\t \t^"]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse(text, "f", Problems())


@given(st.text(alphabet='ab= \n"\\;{}#'))
def test_any_text_of_marks_is_read(text: str) -> None:
    parse(text, "f", Problems())


words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]))


@given(words)
def test_a_quoted_word_is_read_back(word: str) -> None:
    assert [t for t in tokens(quote(word) + ";", "f", Problems())][0].text == word
    (token, _) = tokens(f"key={quote_value(word)};", "f", Problems())
    assert isinstance(token, Word) and token.key and (token.key.text, token.value.text) == ("key", word)


def test_is_key() -> None:
    assert is_key("a.b-c_1") and not any(map(is_key, ("", "1a", "a b", "a=b", "é")))
