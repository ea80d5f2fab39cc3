"""Many listeners beside a real one; `make test-many`."""
