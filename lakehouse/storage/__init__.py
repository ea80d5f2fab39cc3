"""Delta tables, the ledger, artifacts and the lock, without an engine."""
