"""Small histories made after public bug reports of systems of this kind, through the real entry point."""

from pathlib import Path

LANDINGS = Path(__file__).parent / "landings"
