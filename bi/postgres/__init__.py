"""Postgres: the store of Superset's dashboards and of the analysts' own tables."""
