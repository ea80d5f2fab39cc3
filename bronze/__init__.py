"""What the sources said, row by row, less personal data."""
