"""What a dashboard's file says: datasets with their metrics, filters, and rows of charts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bi.dashboards.charts import AnyChart
from lakehouse.cli.here import near
from lakehouse.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "superset" / "dashboards"
COLUMNS = 12

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class DashboardError(Exception):
    """A declaration that cannot be used, or a Superset that does not take it; the message names file and remedy."""


class Strict(BaseModel):
    """Raises pydantic.ValidationError for a key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ChartMetric(Strict):
    """An aggregate. SQL words are written in capitals: every lower-case word is a column of the dataset."""

    sql: str
    label: str
    format: str = ",d"
    """d3-format, https://d3js.org/d3-format; .1% for shares."""


class Computed(Strict):
    """A column computed from others of its row."""

    sql: str
    label: str
    type: str = "string"


class Dataset(Strict):
    """A table, or a query (`sql`) with its result's columns and their types (those of lakehouse.declare.TYPES)."""

    table: str | None = None
    sql: str | None = None
    columns: dict[Name, str] = {}
    time: str | None = None
    """The column that the period filter acts on."""
    labels: dict[str, str] = {}
    computed: dict[Name, Computed] = {}
    metrics: dict[Name, ChartMetric] = {}

    @model_validator(mode="after")
    def _one_source(self) -> Dataset:
        if (self.table is None) == (self.sql is None):
            raise ValueError("a dataset is either a table or an sql query")
        if bool(self.columns) != bool(self.sql):
            raise ValueError("`columns` says what an sql query returns, and goes with nothing else")
        return self


class SelectFilter(Strict):
    """A choice among the values of a column; it acts on every chart whose dataset has a column of this name."""

    kind: Literal["select"] = "select"
    title: str
    data: str
    column: str
    default: Literal["none", "first"] | list[str] = "none"
    multiple: bool = True
    after_listener: bool = True
    """Offer only the values of the chosen listener."""
    description: str = ""


class Row(Strict):
    """Charts side by side, their height in pixels (by default that of the tallest); or a line of text (Markdown)."""

    charts: list[AnyChart] = []
    text: str = ""
    height: int | None = None

    @model_validator(mode="after")
    def _fits(self) -> Row:
        if bool(self.charts) == bool(self.text):
            raise ValueError("a row holds either charts or text")
        if sum(self.widths()) > COLUMNS:
            raise ValueError(f"the charts of a row are {sum(self.widths())} columns wide; there are {COLUMNS}")
        return self

    def widths(self) -> list[int]:
        """Columns of each chart; those that name none share what is left."""
        rest = COLUMNS - sum(chart.width or 0 for chart in self.charts)
        open_ones = sum(chart.width is None for chart in self.charts)
        return [chart.width or max(1, rest // open_ones) for chart in self.charts]


class Dashboard(Strict):
    """One file: superset/dashboards/NAME.yaml; NAME is the dashboard's address."""

    name: Name
    title: str
    description: str
    filters: list[Literal["listener", "period"] | SelectFilter] = []
    refresh_seconds: int = 0
    colors: dict[str, Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]] = {}
    """Colours of single series, by label or value, beside those that are fixed for all dashboards."""
    datasets: dict[Name, Dataset]
    rows: list[Row]

    @property
    def charts(self) -> list[AnyChart]:
        return [chart for row in self.rows for chart in row.charts]

    @model_validator(mode="after")
    def _unique(self) -> Dashboard:
        keys = [chart.key for chart in self.charts]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"two charts have the key {twice[0]!r}; give one of them an `id`")
        used = {chart.data for chart in self.charts} | {f.data for f in self.filters if isinstance(f, SelectFilter)}
        if unknown := sorted(used - set(self.datasets)):
            raise ValueError(f"no dataset is called {unknown[0]!r}")
        if unused := sorted(set(self.datasets) - used):
            raise ValueError(f"the dataset {unused[0]!r} is used by no chart")
        return self


def read(path: Path) -> Dashboard:
    """The dashboard of a file. Raises DashboardError naming the file and each mistake."""
    try:
        content: Any = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise DashboardError(f"{near(path)}: {error}") from error
    if not isinstance(content, Mapping):
        raise DashboardError(f"{near(path)}: holds no keys")
    try:
        return Dashboard(**{"name": path.stem, **content})
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise DashboardError(f"{near(path)}:\n" + "\n".join(lines)) from error


def read_all(folder: Path = FOLDER) -> list[Dashboard]:
    """Every dashboard of a folder, by name. Raises DashboardError."""
    return [read(path) for path in sorted(folder.glob("*.yaml"))]
