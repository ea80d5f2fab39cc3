"""Vectors of tracks."""
