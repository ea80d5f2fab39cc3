"""What do models rely on and where do they err: importances, confusion matrices, calibration, elbow and stability curves?"""

from __future__ import annotations

from pyspark.sql import DataFrame

from gold.predictive.ledger_rows import exploded
from lakehouse.declare import column, table
from music.populations import CATALOGUE, POPULATIONS

FIELDS = (
    "kind: string, row: int, population: string, label: string, label_2: string, x: double, value: double, low: double, "
    "high: double, n: bigint"
)


@table(
    "gold.model_diagnostics",
    key=["model_id", "kind", "row"],
    scope="whole",
    schema=[
        column("model_id", "string", "model, see ops.models"),
        column("kind", "string", "importance, confusion, calibration, elbow, stability, ..."),
        column("row", "int", "position within the kind", at_least=0),
        column("model_name", "string", "name of the model", nullable=False),
        column(
            "population",
            "string",
            "what the row describes: real listeners, synthetic listeners, or tracks of the catalogue",
            nullable=False,
            one_of=(*POPULATIONS, CATALOGUE),
        ),
        column("label", "string", "feature, actual category of a confusion cell, or subject of a curve"),
        column("label_2", "string", "predicted category of a confusion cell"),
        column("x", "double", "position on a curve: predicted value of a calibration bin, number of clusters, ..."),
        column("value", "double", "importance, share of the actual category, observed value in a calibration bin, ..."),
        column("low", "double", "lower end of its 95% interval"),
        column("high", "double", "upper end of the 95% interval"),
        column("n", "bigint", "number of rows it is based on"),
        column("is_current", "boolean", "true for the model in use", nullable=False),
    ],
)
def model_diagnostics(models: DataFrame) -> DataFrame:
    """One row per trained model and curve point, matrix cell or feature, from the ledger of models."""
    return exploded(models, "diagnostics", FIELDS).select(
        *["model_id", "kind", "row", "model_name", "population", "label", "label_2", "x", "value", "low", "high", "n"],
        "is_current",
    )
