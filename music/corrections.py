"""The words of corrections.csv, and what to do about a line that cannot be used."""

from __future__ import annotations

MERGE, RENAME, SPLIT, MOVE, EXCLUDE = ACTIONS = ("merge", "rename", "split", "move", "exclude")
ARTIST, ALBUM, RECORDING, PLAY = KINDS = ("artist", "album", "recording", "play")
SEPARATOR = ";"
OWNED_BY_ALL = "_everyone"
REMEDIES = {
    "surplus_cells": "it has more cells than the header: put quotes around a cell that holds the separator",
    "unknown_action": f"the action is one of {', '.join(ACTIONS)}",
    "unknown_kind": f"the kind is one of {', '.join(KINDS)}",
    "unsuited_kind": "merge and rename take an artist, album or recording, split an artist, move a play",
    "lacks_from": "an artist needs from_artist, an album from_artist and from_album, a recording from_artist and from_title",
    "lacks_to": "name what is right in to_artist, to_title or to_album",
    "lacks_artists": f"name at least two artists in to_artist as A{SEPARATOR} B, in quotes if {SEPARATOR} separates cells too",
    "lacks_time": "a play needs played_at, and for move until, the right start",
    "unreadable_time": "times are UTC and written as 2024-01-31T10:20:30Z",
    "empty_period": "until is later than played_at",
}
