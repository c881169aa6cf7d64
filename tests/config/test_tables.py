"""What is written twice is made once: the document and the schema say what the code reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flussdvr.config.tables import DOCUMENT, SCHEMA, TABLES, table, tables_in, with_settings, with_tables

ROOT = Path(__file__).parents[2]
MADE = "it is made: run make tables"


def test_the_document_has_the_tables_of_the_code() -> None:
    text = (ROOT / DOCUMENT).read_text()
    assert sorted(tables_in(text)) == sorted(TABLES)
    assert with_tables(text) == text, MADE


def test_the_schema_has_the_settings_of_the_code() -> None:
    text = (ROOT / SCHEMA).read_text()
    assert with_settings(text) == text, MADE


def test_what_is_beside_the_settings_stays_in_the_schema() -> None:
    text = (ROOT / SCHEMA).read_text()
    document = json.loads(text)
    of_streams = document["components"]["schemas"]["stream_config"]["properties"]
    of_streams["segment_count"] = {"type": "string"}
    of_streams["something_older"] = {"type": "integer"}
    made = json.loads(with_settings(json.dumps(document)))["components"]["schemas"]["stream_config"]["properties"]
    assert made["segment_count"] == {"type": ["integer", "null"], "minimum": 2, "maximum": 1000}
    assert made.pop("something_older") == {"type": "integer"}
    assert made == json.loads(text)["components"]["schemas"]["stream_config"]["properties"]


def test_a_table_is_replaced_between_its_marks() -> None:
    text = "before\n<!-- table inputs -->\nold\n<!-- end -->\nafter\n<!-- table inputs -->\n<!-- end -->\n"
    made = with_tables(text)
    assert "old" not in made and made.startswith("before\n<!-- table inputs -->\n| URL | is |\n")
    assert made.count("`fake://") == 2 and "<!-- end -->\nafter\n" in made and with_tables(made) == made


def test_a_table_that_nobody_makes_is_an_error() -> None:
    with pytest.raises(KeyError):
        with_tables("<!-- table outputs -->\n<!-- end -->\n")


def test_a_table() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"
