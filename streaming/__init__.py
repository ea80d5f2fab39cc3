"""Plays that arrive as messages of a Kafka topic."""
