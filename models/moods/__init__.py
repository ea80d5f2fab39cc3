"""The mood category of a track."""
