"""Plays joined with tracks and enriched with time, mood and sessions; every play accounted for."""
