"""The SQL console over Trino."""
