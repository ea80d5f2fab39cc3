"""Superset: the server and its steps in the stack."""
