"""The landing folder: what lies there and what is new."""
