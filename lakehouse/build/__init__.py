"""Building one table: compute, check, compare, publish."""
