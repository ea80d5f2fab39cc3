"""The kinds of track vectors: the parts, the length and the population of each."""

from __future__ import annotations

from features.track_content import AUDIO, GENRE_ARTIST
from music.populations import REAL, SYNTHETIC

SESSIONS = 32
BLENDED = AUDIO + GENRE_ARTIST + SESSIONS
# The parts of a blended vector, in order, with their dimensions.
PARTS = {"audio": AUDIO, "genre_artist": GENRE_ARTIST, "sessions": SESSIONS}
# What comes from the sessions of synthetic listeners is a kind of its own, and only theirs.
SUFFIXES = {REAL: "", SYNTHETIC: "_synthetic"}
DIMENSIONS = {
    "audio": AUDIO,
    "genre_artist": GENRE_ARTIST,
    **{f"{kind}{suffix}": size for suffix in SUFFIXES.values() for kind, size in (("sessions", SESSIONS), ("blended", BLENDED))},
}
KINDS = tuple(DIMENSIONS)
