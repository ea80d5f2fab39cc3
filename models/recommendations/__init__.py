"""What recommendations are learned from."""
