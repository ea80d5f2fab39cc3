"""Cognitive gold: what kind of listener someone is, judged by how they listen."""
