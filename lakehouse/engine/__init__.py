"""Where transforms run: one module an engine."""
