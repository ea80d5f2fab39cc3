"""An empty landing folder for each case, as for the other tests through the entry point."""

from tests.end_to_end.conftest import pipeline  # noqa: F401
