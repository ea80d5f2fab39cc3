"""Recommenders for implicit feedback: models, ranking, metrics and the protocol that compares them; plain NumPy and SciPy."""
