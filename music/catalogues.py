"""The catalogues of tracks with audio features: their order, and their numbers, some of which are written as words."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from music.audio_features import CATALOGUE_RANGES, INTEGERS

USUAL = "kaggle_tracks"
CATALOGUES = (USUAL, "catalogue_1200k", "catalogue_586k", "catalogue_160k", "catalogue_30k", "catalogue_genres")
"""Sources, the preferred one first: a value is taken from the first catalogue that has it."""

# Pitch classes by name; a note between two others has two names.
NOTES = (
    ("C", "B#"), ("C#", "DB"), ("D",), ("D#", "EB"), ("E", "FB"), ("F", "E#"), ("F#", "GB"), ("G",), ("G#", "AB"), ("A",),
    ("A#", "BB"), ("B", "CB"),
)  # fmt: skip
MODES = {"MAJOR": 1, "MINOR": 0}


def place_of(source: Column) -> Column:
    """The place of a catalogue in CATALOGUES, from 0; after all others if it is not one of them."""
    place = F.lit(len(CATALOGUES))
    for number, name in enumerate(CATALOGUES):
        place = F.when(source == name, number).otherwise(place)
    return place


def name_of(place: Column) -> Column:
    """The catalogue at a place of CATALOGUES; null for any other."""
    return F.element_at(
        F.create_map(*[part for number, name in enumerate(CATALOGUES) for part in (F.lit(number), F.lit(name))]), place
    )


def preference() -> tuple[Column, Column]:
    """Order of catalogue tracks of one name, ascending: the preferred catalogue, then the most popular within it."""
    is_own = F.col("popularity_source") == F.col("catalogue_source")
    unpopularity = F.lit(100) - F.when(is_own, F.col("popularity")).otherwise(0)
    return place_of(F.col("catalogue_source")), unpopularity


def catalogue_number(name: str) -> Column:
    """A catalogue's text as a number; null if it is none or is outside the possible range.

    A key may also be written as a note (`C#`, `D♭`, `C♯/D♭`), a mode as Major or Minor, a time signature as `4/4`.
    """
    low, high = CATALOGUE_RANGES[name]
    number = F.col(name).try_cast("double")
    if name in WORDS:
        number = F.coalesce(number, WORDS[name](F.upper(F.trim(name))).cast("double"))
    kind = "int" if name in INTEGERS else "double"
    return F.when(number.between(low, high), number).cast(kind).alias(name)


def _pitch_class(text: Column) -> Column:
    first_name = F.regexp_extract(F.translate(text, "♯♭", "#B"), r"^([A-G][#B]?)(?:\s*/\s*[A-G][#B]?)?$", 1)
    named = [part for number, names in enumerate(NOTES) for name in names for part in (F.lit(name), F.lit(number))]
    return F.element_at(F.create_map(*named), first_name)


def _mode(text: Column) -> Column:
    return F.element_at(F.create_map(*[part for name, number in MODES.items() for part in (F.lit(name), F.lit(number))]), text)


def _beats_per_bar(text: Column) -> Column:
    return F.regexp_extract(text, r"^(\d{1,2})\s*/\s*\d{1,2}$", 1).try_cast("int")


WORDS = {"key": _pitch_class, "mode": _mode, "time_signature": _beats_per_bar}
