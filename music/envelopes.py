"""The formats of what the product receives: poll files and journals, written into the inbox, and read from there by ingestion."""

from __future__ import annotations

SPOTIFY_API, LASTFM_API, LISTENBRAINZ_API = "spotify_api", "lastfm_api", "listenbrainz_api"
FORMAT = "listening-lakehouse/poll/1"
"""Stands first in the file, so that its beginning tells what it is."""
HEAD = ("format", "source", "account_id", "listener", "request", "server_date", "new", "keys", "connects")
"""The fields before the answer, in their order."""
ANSWER = "answer"

SUBMITTED_LISTENS = "submitted_listens"
JOURNAL_FORMAT = "listening-lakehouse/journal/1"
"""Stands first in a journal: a line with JOURNAL_HEAD, then a line with JOURNAL_LINE for each listen that a player sent."""
JOURNAL_HEAD = ("format", "source", "listener", "journal")
JOURNAL_LINE = ("received_at", "listen")
