"""The format of metadata files: answers about tracks, albums and artists, as polling writes them into the inbox."""

from __future__ import annotations

METADATA_FORMAT = "listening-lakehouse/metadata/1"
"""Stands first in the file, so that its beginning tells what it is; the kind of its answers stands second."""
TRACK, ALBUM, ARTIST, AUDIO_FEATURES = "track", "album", "artist", "audio_features"
SPOTIFY_KINDS = (TRACK, ALBUM, ARTIST)
ARTIST_TAGS, SIMILAR_ARTISTS, ARTIST_MBID = "artist_tags", "similar_artists", "artist_mbid"
ARTIST_KINDS = (ARTIST_TAGS, SIMILAR_ARTISTS, ARTIST_MBID)
