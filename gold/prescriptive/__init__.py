"""What to play next, and when: suggestions that say what they come from."""
