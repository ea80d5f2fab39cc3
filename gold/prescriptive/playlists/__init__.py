"""Playlists of tracks that a listener likes."""
