"""A listener's history as one HTML file that needs no network: read from gold, one module a section."""
