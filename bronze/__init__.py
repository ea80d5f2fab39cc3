"""Rows as the sources wrote them, without personal data."""
