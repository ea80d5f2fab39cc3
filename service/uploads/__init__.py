"""Exports that people bring: streamed into the inbox, looked at before they count, and stored under the hash of their content."""
