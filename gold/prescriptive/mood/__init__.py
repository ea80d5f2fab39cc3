"""Moods and hours: tracks that lift the mood, hours that suit a listener, and times that stand out."""
