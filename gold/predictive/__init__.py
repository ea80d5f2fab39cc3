"""Predictive tables: what comes next, and how far to believe it."""
