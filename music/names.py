"""Names as keys: how spellings of one name are folded, and the hashes that identify artists, albums and titles."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

SEPARATOR = "\x1f"
NULL = "\x00"

# Characters that are newer than Unicode 14 (that of Python 3.11) and that a later Unicode folds. They stay as they are, so that
# every Python gives the same keys: tests/music/test_names.py compares all characters with one recorded digest.
_NEWER = re.compile(
    "[\u1c89\ua7cb-\ua7dc\ua7f1\U000105c9\U000105e4\U00010d50-\U00010d65\U00011383-\U000113c8\U00016121-\U00016128"
    "\U00016d68-\U00016d6a\U00016ea0-\U00016eb8\U0001ccd6-\U0001ccf9\U0001e030-\U0001e06d]+"
)
_TYPOGRAPHIC = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bb\u02bc\u02b9\u2032\u2035`\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)
# Soft hyphens, zero-width characters, marks of direction, variation selectors, blank letters and control characters.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_DROPPED = re.compile("[,.'\"!?]")
_DROPPED_ASCII = str.maketrans("", "", ",.'\"!?")
# Blanks of every kind and width, written out because engines disagree on what a blank is. Variation selectors are none of
# them: they belong to the emoji before them.
_BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace()) + "\u200b-\u200f\u2060\ufeff"


def fold(name: str) -> str | None:
    """A name without what spellings of one name differ in; None where nothing is left but blanks.

    NFKC and full case folding (Unicode 14, standard annex 15 and chapter 3.13), one form of quotes and dashes, one space for any
    run of blanks, nothing invisible. The punctuation that tools drop (comma, full stop, quotes, ! and ?) goes, except where a
    name consists of nothing else. Idempotent.
    """
    if name.isascii() and name.isprintable():
        # Most names: the same in a fifth of the time.
        lower = name.lower().replace("`", "'")
        return " ".join(lower.translate(_DROPPED_ASCII).split()) or " ".join(lower.split()) or None
    plain = "".join(_folded(part) for part in _parts(name))
    plain = " ".join(_CONTROL.sub("", _INVISIBLE.sub("", plain)).split())
    return " ".join(_DROPPED.sub("", plain).split()) or plain or None


def _parts(name: str) -> list[str]:
    """The name in pieces, those of newer characters apart."""
    ends = [0, *[end for found in _NEWER.finditer(name) for end in found.span()], len(name)]
    return [name[start:end] for start, end in itertools.pairwise(ends) if start < end]


def _folded(part: str) -> str:
    if _NEWER.match(part):
        return part
    # Before NFKC, which would split an acute accent that stands alone into a blank and a combining mark.
    canonical = unicodedata.normalize("NFKC", part.translate(_TYPOGRAPHIC))
    # Case folding can undo the normal form, so it is made again.
    return unicodedata.normalize("NFKC", canonical.casefold()).translate(_TYPOGRAPHIC)


def shown(name: Column) -> Column:
    """A name as it is spelt, without blanks around it; null where nothing else is left."""
    return F.nullif(F.regexp_replace(name, f"^[{_BLANKS}]+|[{_BLANKS}]+$", ""), F.lit(""))


def with_folded(rows: DataFrame, names: DataFrame, columns: Mapping[str, Mapping[str, str]]) -> DataFrame:
    """The rows with columns of silver.names: `columns` maps a column of names in the rows to {new column: column of names}.

    The new columns are null where there is no name.
    """

    def add(joined: DataFrame, source: str) -> DataFrame:
        told = [F.col(form).alias(added) for added, form in columns[source].items()]
        return joined.join(names.select(F.col("name").alias(source), *told), on=source, how="left")

    return reduce(add, columns, rows)


def hashed(*parts: Column, length: int = 32) -> Column:
    """The first `length` (at most 32) hex digits of the MD5 of the parts; a null part differs from an empty one.

    MD5, because it names things here and guards nothing, and is the cheapest hash of 128 bits that every engine has.
    """
    marked = [F.coalesce(part.cast("string"), F.lit(NULL)) for part in parts]
    return F.substring(F.md5(F.concat_ws(SEPARATOR, *marked)), 1, length)


def artist_key(artist: Column) -> Column:
    """Hash of a folded artist name; null without a name."""
    return F.when(artist.isNotNull(), hashed(artist, length=16))


def album_key(artist: Column, album: Column) -> Column:
    """Hash of folded artist and album names; null without an album."""
    return F.when(album.isNotNull(), hashed(artist, album, length=16))


def name_key(artist: Column, title: Column) -> Column:
    """Hash of a folded artist and title; null when either is missing."""
    return F.when(artist.isNotNull() & title.isNotNull(), hashed(artist, title))
