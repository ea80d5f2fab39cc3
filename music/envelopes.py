"""The format of poll files: what polling writes into the inbox, and ingestion reads from there."""

from __future__ import annotations

SPOTIFY_API, LASTFM_API, LISTENBRAINZ_API = "spotify_api", "lastfm_api", "listenbrainz_api"
FORMAT = "listening-lakehouse/poll/1"
"""Stands first in the file, so that its beginning tells what it is."""
HEAD = ("format", "source", "account_id", "listener", "request", "server_date", "new", "keys", "connects")
"""The fields before the answer, in their order."""
ANSWER = "answer"
