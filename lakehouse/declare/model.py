"""How a model is declared, beside the function that trains it; what training gives, and what a trained model offers."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.declare.column import DeclarationError
from lakehouse.declare.table import REGISTRY, Retrain, Table, arguments_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


LAYER = "models"
PARAMETERS = "parameters.json"
# What a stored estimator may be made of; skops refuses to load anything else.
TRUSTED = ("sklearn.", "numpy.", "scipy.", "_loss.")


@dataclass(frozen=True)
class Fitted:
    """What training gives.

    `parameters`: what was chosen, JSON-able; `splits`: boundaries of train, validation and test; `metrics` and
    `diagnostics`: rows for the tables of that name, without model_id; `frames`: factors, vectors, centroids,
    coefficients as tables; `estimators`: fitted scikit-learn estimators.
    """

    parameters: Mapping[str, Any]
    splits: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] = ()
    diagnostics: Sequence[Mapping[str, Any]] = ()
    frames: Mapping[str, pa.Table | DataFrame] = field(default_factory=dict)
    estimators: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A trained model, as a table's transform gets it. Its artifact is a folder that is never written again."""

    id: str
    name: str
    path: Path
    session: SparkSession

    @property
    def parameters(self) -> dict[str, Any]:
        """What training chose."""
        parameters: dict[str, Any] = json.loads((self.path / PARAMETERS).read_text("utf-8"))
        return parameters

    def frame(self, name: str) -> DataFrame:
        """A stored table on the engine of the run. Raises what the engine raises where there is none of that name."""
        return self.session.read.parquet(str(self.path / f"{name}.parquet"))

    def arrow(self, name: str) -> pa.Table:
        """A stored table in memory; for what does not grow with plays. Raises FileNotFoundError."""
        return pq.read_table(self.path / f"{name}.parquet")

    def estimator(self, name: str) -> Any:
        """A stored scikit-learn estimator. Raises ValueError for a file that holds other types than its libraries'."""
        import skops.io

        path = self.path / f"{name}.skops"
        unknown = skops.io.get_untrusted_types(file=path)
        if foreign := [kind for kind in unknown if not kind.startswith(TRUSTED)]:
            raise ValueError(f"{path} holds {foreign[0]}, a type that no model here contains")
        return skops.io.load(path, trusted=unknown)


Training = Callable[..., Fitted]


def model(
    name: str, *, kind: str, retrain: Retrain | None = None, needs: Literal["spark"] | None = None
) -> Callable[[Training], Training]:
    """Register the decorated function as the training of model `models.NAME`.

    Its positional arguments name upstream tables or models, its keyword-only ones run parameters, as a table's do. A
    table that names the model as an argument gets a `Model`; annotated `Model | None`, it gets None where the model could
    not be trained (no Java). Raises DeclarationError for a name that is no identifier or taken, and without docstring.
    """

    def register(training: Training) -> Training:
        full_name = f"{LAYER}.{name}"
        if not name.isidentifier():
            raise DeclarationError(f"{full_name}: a model's name is an identifier")
        if not (training.__doc__ or "").strip():
            raise DeclarationError(f"{full_name}: the training needs a docstring that states what is trained on what")
        taken = next((t for t in REGISTRY.values() if t.short_name == name and t.module != training.__module__), None)
        if taken is not None:
            raise DeclarationError(f"{full_name}: {taken.name} has that name already; upstream arguments would be ambiguous")
        upstreams, optional, parameters = arguments_of(full_name, training)
        REGISTRY[full_name] = Table(
            name=full_name,
            key=("model_id",),
            scope="model",
            columns=(),
            transform=training,
            description=inspect.cleandoc(training.__doc__ or ""),
            category=LAYER,
            needs=needs,
            upstreams=upstreams,
            optional=optional,
            parameters=parameters,
            kind=kind,
            retrain=retrain or Retrain(),
        )
        return training

    return register
