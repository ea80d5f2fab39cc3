"""Which spellings are one name."""

from __future__ import annotations

import hashlib
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from music.names import fold, shown

# Of fold() for every character, with the Unicode of Python 3.11. Another digest on another Python: a newer Unicode shows.
DIGEST = "cf11d571dc4a6298e2c99472c34f1ca2b3d09dccdc1c727ac3f3f448b91555b2"

SAME = [
    ("Beyonc\u00e9", "Beyonce\u0301"),
    ("Don\u2019t Stop", "Don't Stop"),
    ("Don`t Stop", "Dont Stop"),
    ("Stra\u00dfe", "STRASSE"),
    ("\u039d\u03af\u03ba\u03bf\u03c2", "\u039d\u038a\u039a\u039f\u03a3"),
    ("\uff26\uff55\uff4c\uff4c", "full"),
    ("Quiet\u00a0Band\t", " Quiet  Band"),
    ("\u200bQuiet Band\ufeff", "Quiet Band"),
    ("Tyler, The Creator", "Tyler The Creator"),
    ("Earth, Wind & Fire", "Earth Wind & Fire"),
    ("\u201cHeroes\u201d", '"Heroes"'),
    ("Wait\u2026", "Wait..."),
    ("Help!", "Help"),
    ("1999\u20132000", "1999-2000"),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_spellings_of_one_name(first: str, second: str) -> None:
    assert fold(first) == fold(second) is not None


def test_other_names_stay_apart() -> None:
    names = [
        "AC/DC",
        "ACDC",
        "A$AP",
        "AAP",
        "Sigur R\u00f3s",
        "Sigur Ros",
        "*NSYNC",
        "NSYNC",
        "Blink-182",
        "Blink 182",
        "+44",
        "44",
    ]
    assert len({fold(name) for name in names}) == len(names)


def test_a_name_of_punctuation_stays_and_one_of_blanks_is_none() -> None:
    assert [fold(name) for name in ("!!!", "?", "\u2026", ". . .", " \u00a0\u200b\t", "")] == [
        "!!!",
        "?",
        "...",
        ". . .",
        None,
        None,
    ]


def test_what_is_shown_keeps_its_spelling(spark: SparkSession) -> None:
    names = ["\u200b Quiet  Band\u00a0", "!!!", " \t", "\u2764\ufe0f"]
    rows = spark.createDataFrame(list(enumerate(names)), "number int, name string").orderBy("number")
    assert [row[0] for row in rows.select(shown(F.col("name"))).collect()] == [
        "Quiet  Band",
        "!!!",
        None,
        "\u2764\ufe0f",
    ]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=20))
def test_folding_twice_is_folding_once(name: str) -> None:
    folded = fold(name)
    assert folded is None or fold(folded) == folded


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=20), st.sampled_from([" ", "\u00a0", "\u200b", "\t", "\u3000"]))
def test_blanks_around_a_name_are_no_part_of_it(name: str, blank: str) -> None:
    assert fold(f"{blank}{name}{blank}") == fold(name)


def test_every_supported_python_folds_alike() -> None:
    characters = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    digest = hashlib.sha256("\n".join(map(folded_if_assigned, characters)).encode())
    assert digest.hexdigest() == DIGEST


def folded_if_assigned(character: str) -> str:
    """A character that the running Python does not know stays as it is; that costs less than folding it."""
    return character if unicodedata.category(character) in ("Cn", "Co") else fold(character) or ""
