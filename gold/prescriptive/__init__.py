"""What to play next, and when: suggestions with their reasons."""
