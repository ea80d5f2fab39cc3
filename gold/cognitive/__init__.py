"""Cognitive gold: who a listener is, told by how they listen."""
