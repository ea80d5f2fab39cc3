"""What a run has to build, and in which order."""
