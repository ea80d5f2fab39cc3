"""All that an author of a table, a model or a source imports."""

from lakehouse.declare.column import TYPES, Column, DeclarationError, column
from lakehouse.declare.model import Fitted, Model, model
from lakehouse.declare.rules import Rule, at_least, between, foreign_key, fresh, is_in, not_null, row_count, satisfies, unique
from lakehouse.declare.source import (
    SAMPLE_BYTES,
    BrokenFileError,
    Explainer,
    Explanation,
    NamedSource,
    NotUtf8Error,
    ReceivedSource,
    Sample,
    SharedSource,
    Source,
)
from lakehouse.declare.table import LAYERS, LINEAGE, REGISTRY, Retrain, Table, ops_table, registered, table

__all__ = [
    "LAYERS",
    "LINEAGE",
    "REGISTRY",
    "SAMPLE_BYTES",
    "TYPES",
    "BrokenFileError",
    "Column",
    "DeclarationError",
    "Explainer",
    "Explanation",
    "Fitted",
    "Model",
    "NamedSource",
    "NotUtf8Error",
    "ReceivedSource",
    "Retrain",
    "Rule",
    "Sample",
    "SharedSource",
    "Source",
    "Table",
    "at_least",
    "between",
    "column",
    "foreign_key",
    "fresh",
    "is_in",
    "model",
    "not_null",
    "ops_table",
    "registered",
    "row_count",
    "satisfies",
    "table",
    "unique",
]
