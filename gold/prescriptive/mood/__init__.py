"""Moods and hours: what brightens, what suits, what stands out."""
