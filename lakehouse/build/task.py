"""What is to be built, and what became of it: values that travel between the processes of a run as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lakehouse.build.quality import CheckResult
from lakehouse.declare.table import REGISTRY
from lakehouse.storage.held import Held

# Statuses of what was to be built and was not.
NOT_DONE = ("failed", "refused", "blocked")


@dataclass(frozen=True)
class Task:
    """What is to be built: everything a process needs to know."""

    table: str
    why: str
    run_id: str
    started_at: str
    parameters: Mapping[str, Any]
    upstreams: Mapping[str, int]
    changes: Mapping[str, list[str] | None]
    """Per upstream, the keys that changed since the table last consumed it; None for all."""
    consumed: Mapping[str, int]
    """Per upstream, a version with the rows that the table consumed last."""
    is_whole: bool
    fingerprint: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    """Id of each upstream model, by full name."""
    model_id: str | None = None
    """Of a model, the id it will have."""
    landed: str | None = None
    replaced_files: Sequence[str] = ()
    retried: Sequence[str] = ()
    """Listeners whose rows earlier builds left as they were, to be recomputed whatever changed."""
    withheld: Sequence[str] = ()
    """Listeners whose rows stay as they are, because a table upstream has not brought theirs up to date."""
    listeners: int = 0
    """How many listeners the landing files belong to; the files of one may name more."""

    @property
    def model_upstreams(self) -> dict[str, int | str]:
        """What a model learns from: the version of each table and the id of each model."""
        return {**self.upstreams, **self.models}


@dataclass(frozen=True)
class Outcome:
    """What became of a task."""

    table: str
    status: str
    seconds: float = 0.0
    version: int | None = None
    keys: int | None = None
    rows: int | None = None
    error: str | None = None
    engine: str = ""
    checks: Sequence[CheckResult] = ()
    held: Sequence[Held] = ()
    """Listeners of the computed rows who break a FAIL rule: their rows stayed as they were, all others were published."""
    model: Mapping[str, Any] | None = None
    """The row of ops.models of a model that was trained, without its times."""

    @property
    def is_model(self) -> bool:
        return REGISTRY[self.table].is_model

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> Outcome:
        checks = tuple(CheckResult(**check) for check in content["checks"])
        held = tuple(Held(**one) for one in content["held"])
        return Outcome(**{**content, "checks": checks, "held": held})
