"""Small histories and catalogues made after faults that people reported of systems of this kind, through the real entry point."""
