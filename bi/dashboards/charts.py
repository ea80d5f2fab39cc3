"""Every kind of chart: what a file in superset/dashboards/ may say, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bi.dashboards.axis_charts import Bubble, Heatmap, Histogram, Mixed, Series
from bi.dashboards.category_charts import Custom, Flow, Number, Parts, Pivot, Radar, Table, Trend

AnyChart = Annotated[
    Number | Trend | Series | Mixed | Table | Pivot | Heatmap | Parts | Radar | Flow | Histogram | Bubble | Custom,
    Field(discriminator="kind"),
]
