"""Answers: what happened (descriptive) and why (diagnostic)."""
