"""The facts that the sources of listening history state, for the tables that read their rows."""

from __future__ import annotations

from ingestion import history_facts
from ingestion.history_source import SourceFacts, SourceKind, kinds_of

__all__ = ["SOURCE_FACTS", "SourceFacts", "SourceKind", "kinds_of"]

SOURCE_FACTS = history_facts()
