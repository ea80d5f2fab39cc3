"""Features computed the same way for training and for scoring."""
