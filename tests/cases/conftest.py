"""An empty landing folder and no lakehouse yet, with no setting of this machine; folders of cases are in landings/."""

from tests.end_to_end.conftest import pipeline

__all__ = ["pipeline"]
