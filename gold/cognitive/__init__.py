"""Cognitive gold: who a listener is, judged by how they listen."""
