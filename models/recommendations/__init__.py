"""Models that recommendations are based on."""
