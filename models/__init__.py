"""Models learned from listening, one module per model."""
