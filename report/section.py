"""What a section of the page is: a question, what its template draws, and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from report.reader import Reader


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite specification; colours in it are CSS variables, `var(--name)`, which the page resolves when it draws."""

    label: str
    """What it shows, in a sentence, for those who do not see it."""
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A section: `missing` says why there is nothing to draw, and then nothing is drawn."""

    name: str
    title: str
    explanation: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    charts: Mapping[str, Chart] = field(default_factory=dict)
    missing: str | None = None

    @property
    def template(self) -> str:
        return f"sections/{self.name}.html"


def not_built(reader: Reader, tables: Sequence[str]) -> str | None:
    """Says which of the tables a section needs are not there; None when all are."""
    missing = [name for name in tables if not reader.is_built(name)]
    return f"Not built yet: {', '.join(missing)}. `lakehouse run` builds what is missing." if missing else None


NO_FEATURES = (
    "None of these plays has audio features, so there are no moods. They come from the Kaggle catalogue: put its dataset.csv "
    "into the landing folder and run the pipeline again."
)
