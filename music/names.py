"""Identities made of names: how artists, albums and tracks without an id are folded and hashed."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

SEPARATOR = "\x1f"
NULL = "\x00"


def folded(name: Column) -> Column:
    """The name without surrounding blanks and letter case; null when nothing is left."""
    return F.nullif(F.lower(F.trim(name)), F.lit(""))


def hashed(*parts: Column, length: int = 32) -> Column:
    """The first `length` (at most 32) hex digits of the MD5 of the parts; a null part differs from an empty one.

    MD5, because it names things here and guards nothing, and is the cheapest hash of 128 bits that every engine has.
    """
    marked = [F.coalesce(part.cast("string"), F.lit(NULL)) for part in parts]
    return F.substring(F.md5(F.concat_ws(SEPARATOR, *marked)), 1, length)


def artist_key(artist: Column) -> Column:
    """Hash of the folded artist name; null without a name."""
    return F.when(folded(artist).isNotNull(), hashed(folded(artist), length=16))


def album_key(artist: Column, album: Column) -> Column:
    """Hash of the folded artist and album names; null without an album."""
    return F.when(folded(album).isNotNull(), hashed(folded(artist), folded(album), length=16))


def name_key(artist: Column, title: Column) -> Column:
    """Hash of the folded artist and title; null when either is missing."""
    return F.when(folded(artist).isNotNull() & folded(title).isNotNull(), hashed(folded(artist), folded(title)))
