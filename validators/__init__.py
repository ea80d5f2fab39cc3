"""Rules that several tables declare, and the reconciliation of every play."""
