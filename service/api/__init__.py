"""The read-only JSON API for widgets and scripts: what a listener's tables say, by token."""
