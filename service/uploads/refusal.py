"""Why an upload is refused."""

from __future__ import annotations

BRING = (
    "Bring the zip file of your Spotify export (spotify.com > Account > Privacy settings > Extended streaming history), "
    "or an export of Last.fm or ListenBrainz."
)


class RefusedUploadError(Exception):
    """An upload that is not stored: HTTP status, and what to tell the person who sent it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason
