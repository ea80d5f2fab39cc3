"""The command `corrections`: what could be corrected, and what the lines of corrections.csv would change."""
