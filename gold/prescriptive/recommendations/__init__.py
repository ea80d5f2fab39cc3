"""What to hear next, and what is like what."""
