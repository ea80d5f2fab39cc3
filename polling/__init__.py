"""Plays that live sources report: clients of their APIs, what was already received, and the files that runs read. No Spark."""
