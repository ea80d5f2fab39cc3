"""What was listened to, when, and how much."""
