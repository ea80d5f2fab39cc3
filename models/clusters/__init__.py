"""Clusters of moods, sessions and listeners."""
