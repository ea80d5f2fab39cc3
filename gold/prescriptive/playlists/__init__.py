"""Playlists made of what a listener likes."""
