"""Statements of the SQL console are told apart by semicolons that are none of their text; values are shown as text."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi.console.output import CsvOutput, JsonOutput, Result, TableOutput, visible
from bi.console.statements import split


@pytest.mark.parametrize(
    ("text", "complete", "rest"),
    [
        ("", [], ""),
        ("select 1", [], "select 1"),
        ("select 1;", ["select 1"], ""),
        ("select 1;; ; select 2 ;", ["select 1", "select 2"], ""),
        ("select 'a;b', \"c;d\"; x", ["select 'a;b', \"c;d\""], "x"),
        ("select 'it''s;'; x", ["select 'it''s;'"], "x"),
        ("select 'open; x;", [], "select 'open; x;"),
        ('select "open; x;', [], 'select "open; x;'),
        ("select 1 -- no; 'end\n, 2; x", ["select 1 -- no; 'end\n, 2"], "x"),
        ("select /* a; ' */ 1; x", ["select /* a; ' */ 1"], "x"),
        ("select /* open; 1;", [], "select /* open; 1;"),
        ("-- only a comment;\n/* and; another */ ;", [], ""),
        ("select 4 - 2 / 1;", ["select 4 - 2 / 1"], ""),
    ],
)
def test_statements_end_at_semicolons_outside_of_text(text: str, complete: list[str], rest: str) -> None:
    assert split(text).complete == complete
    assert split(text).rest == rest


@given(st.text("ab;'\"-/* \n", max_size=30))
def test_nothing_but_semicolons_and_comments_is_lost(text: str) -> None:
    assert split(text).rest in text
    assert all(statement in text for statement in split(text).complete)


@given(st.text(max_size=50))
def test_a_value_is_one_line_without_control_characters(text: str) -> None:
    shown = visible(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)


def test_wide_rows_stand_below_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    names = [f"column_{n}" for n in range(9)]
    TableOutput(stream, max_rows=None, is_raw=False).show(Result(names, iter([list(range(9))]), ""))
    assert len([line for line in stream.getvalue().splitlines() if "column_" in line]) == 9


def test_csv_has_null_apart_from_empty_text_and_guards_names_too() -> None:
    stream = io.StringIO()
    rows = iter([[None, "", True, 1.5, "@x", 'a"b']])
    CsvOutput(stream, max_rows=None, is_raw=False).show(Result(["=a", "b", "c", "d", "e", "f"], rows, ""))
    assert stream.getvalue().splitlines() == ['"\'=a","b","c","d","e","f"', ',"",true,1.5,"\'@x","a""b"']


def test_json_is_json_with_every_column() -> None:
    stream = io.StringIO()
    rows = iter([[float("nan"), float("-inf"), b"\x00\xff", [1.0, float("inf")], 2]])
    JsonOutput(stream, max_rows=None, is_raw=False).show(Result(["a", "b", "a", "c", "c"], rows, ""))

    def refused(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    assert json.loads(stream.getvalue(), parse_constant=refused) == {
        "a": "nan",
        "b": "-inf",
        "a_3": "00ff",
        "c": [1.0, "inf"],
        "c_5": 2,
    }


def test_a_plan_is_shown_in_its_own_lines() -> None:
    stream = io.StringIO()
    TableOutput(stream, max_rows=None, is_raw=False).show(Result(["Query Plan"], iter([[f"a{'x' * 300}\nb\x1b[31m"]]), ""))
    assert stream.getvalue().splitlines() == [f"a{'x' * 300}", "b\\x1b[31m"]


def test_a_table_that_nobody_reads_on_is_told_to_the_caller() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        TableOutput(Closed(), max_rows=None, is_raw=False).show(Result(["a"], iter([[1]]), ""))
