"""Trino: configuration, server, access rules, client, and registration of tables."""
