"""Looking after a lakehouse: maintenance, backups, what is wrong with a set-up, and forgetting a listener."""
