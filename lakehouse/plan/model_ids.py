"""The id of a model: what it was learned from, so that the same input has the same id anywhere, and other input another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from lakehouse.declare.source import SharedSource
from lakehouse.declare.table import Table
from lakehouse.plan.graph import upstream_names
from lakehouse.storage.landed_files import LandedFile


def model_id(
    name: str,
    tables: Mapping[str, Table],
    fingerprints: Mapping[str, str],
    files: Iterable[LandedFile],
    ids: Mapping[str, str],
) -> str:
    """The model's short name and 12 hex digits.

    Hashed are the code and parameters of the model and of every table that it descends from, the content of the landing
    files that these were read from, each with its listener, and the ids of the models that it descends from. `fingerprints`
    and `ids` are by full name; a model that could not be trained has no id.
    """
    above = ancestors(name, tables)
    models = sorted(other for other in above if tables[other].is_model)
    made = sorted(other for other in above if not tables[other].is_model and other in fingerprints)
    content = [
        name,
        {other: fingerprints[other] for other in (name, *made)},
        {other: ids.get(other) for other in models},
        sorted(_contents(above, tables, files)),
    ]
    short_name = tables[name].short_name
    return f"{short_name}-{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]}"


def ancestors(name: str, tables: Mapping[str, Table]) -> set[str]:
    """All that a table or model descends from. It ends at models, whose ids stand for what they descend from."""
    reached, todo = set[str](), upstream_names(tables[name])
    while todo:
        upstream = todo.pop()
        if upstream not in reached:
            reached.add(upstream)
            todo += [] if tables[upstream].is_model else upstream_names(tables[upstream])
    return reached


def _contents(names: Iterable[str], tables: Mapping[str, Table], files: Iterable[LandedFile]) -> set[tuple[str, str]]:
    """Content hash and listener of every landing file whose rows these tables hold.

    Of a content that lies at several places one counts, unless its source is shared by the listeners of all of them.
    """
    landing = [tables[name] for name in names if tables[name].is_landing]
    targets = {table.short_name for table in landing}
    shared = {source.name for table in landing for source in table.sources if isinstance(source, SharedSource)}
    return {
        (file.file_hash, file.listener)
        for file in files
        if file.target in targets
        and (file.status == "ingested" or (file.status == "duplicate" and file.is_present and file.source in shared))
    }
