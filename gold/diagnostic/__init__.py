"""What goes with what: each difference with its n, effect size and interval."""
