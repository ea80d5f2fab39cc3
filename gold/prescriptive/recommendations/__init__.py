"""What to listen to next, and which tracks are similar."""
