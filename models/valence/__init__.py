"""The valence of the next listen."""
