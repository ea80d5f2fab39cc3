"""How habits, moods and features are related: each difference with its n, effect size and interval."""
