"""Models: what is learned from listening, one module a model."""
