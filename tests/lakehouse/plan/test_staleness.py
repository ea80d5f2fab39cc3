"""Which tables are stale and why, from values: versions, fingerprints, changes and models in use."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lakehouse.declare import DeclarationError, Table, column
from lakehouse.declare.table import Retrain
from lakehouse.plan.fingerprint import metadata_fingerprint
from lakehouse.plan.staleness import Code, Plan, Stale, plan, worth_training
from lakehouse.storage.changes import EVERYTHING, NOTHING, Change
from lakehouse.storage.ledger import Built
from tests.lakehouse.plan.declared import a_table, registered

PLAYS = a_table("bronze.plays", is_landing=True)
HEARD = a_table("silver.heard", "plays")
TASTE = a_table("models.taste", "heard")
MOODS = a_table("models.moods", "heard", "taste")
WEEKS = a_table("gold.weeks", "heard")
ADVICE = a_table("gold.advice", "heard", "taste", optional=frozenset({"taste"}))
FILES = a_table("ops.files", is_kernel=True)
BALANCE = a_table("ops.balance", "files")
TABLES = {table.name: table for table in (PLAYS, HEARD, TASTE, MOODS, WEEKS, ADVICE, FILES, BALANCE)}
SOME = Change(frozenset({"ann"}))


@dataclass
class Rows:
    """Stands for the folder of a lakehouse: how many rows each table has."""

    totals: Mapping[str, int] = field(default_factory=dict)

    def row_total(self, declared: Table) -> int:
        return self.totals[declared.name]


@dataclass
class Snapshot:
    """Stands for what is read from a lakehouse. Everything is built, by this code, and nothing changed since."""

    tables: Mapping[str, Table] = field(default_factory=lambda: TABLES)
    versions: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(TABLES, 3))
    last: dict[str, Built] = field(
        default_factory=lambda: {
            name: Built(f"code of {name}", {}, 3, 1.0, metadata_fingerprint(table)) for name, table in TABLES.items()
        }
    )
    changed: dict[str, dict[str, Change]] = field(default_factory=dict)
    held: dict[str, frozenset[str]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    lakehouse: Rows = field(default_factory=Rows)

    def changes(self, name: str) -> dict[str, Change]:
        return self.changed.get(name, {})

    def retried(self, name: str) -> frozenset[str]:
        return self.held.get(name, frozenset())

    def model_ids(self, names: list[str]) -> dict[str, str]:
        in_use = {f"models.{name}": row["model_id"] for name, row in self.models.items()}
        return {name: in_use[name] for name in names if name in in_use}


CODE = Code({name: {} for name in TABLES}, {name: f"code of {name}" for name in TABLES})
CHOSEN = ["bronze.plays", "ops.files", "silver.heard", "models.taste", "gold.weeks", "gold.advice", "ops.balance"]


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    with registered(list(TABLES.values())):
        yield


def planned(state: Snapshot, new_files: Mapping[str, int] | None = None, **options: Any) -> Plan:
    return plan(state, CODE, CHOSEN, new_files or {}, **options)


def reasons(state: Snapshot, new_files: Mapping[str, int] | None = None, **options: Any) -> dict[str, tuple[str, bool]]:
    """Per stale table why, and whether all of it."""
    return {name: (one.why, one.is_whole) for name, one in planned(state, new_files, **options).stale.items()}


def test_nothing_is_stale_where_nothing_changed() -> None:
    assert planned(Snapshot()) == Plan(tuple(CHOSEN), CODE, {}, (), frozenset())


def test_new_files_make_their_table_and_all_that_descends_from_it_stale_in_order() -> None:
    assert list(reasons(Snapshot(), {"plays": 2}).items()) == [
        ("bronze.plays", ("2 new files", False)),
        ("silver.heard", ("bronze.plays is rebuilt", False)),
        ("models.taste", ("silver.heard is rebuilt", False)),
        ("gold.weeks", ("silver.heard is rebuilt", False)),
        ("gold.advice", ("silver.heard is rebuilt", False)),
    ]
    assert reasons(Snapshot(), {"plays": 1})["bronze.plays"] == ("1 new file", False)
    assert reasons(Snapshot(), {"songs": 1}) == {}


def test_a_stale_table_carries_its_name() -> None:
    assert planned(Snapshot(), {"plays": 1}).stale["bronze.plays"] == Stale("bronze.plays", "1 new file", is_whole=False)


def test_what_was_never_built_is_new() -> None:
    state = Snapshot()
    state.versions["gold.weeks"] = None
    state.versions["bronze.plays"] = None
    assert reasons(state) == {
        "bronze.plays": ("new", True),
        "silver.heard": ("bronze.plays is rebuilt", False),
        "models.taste": ("silver.heard is rebuilt", False),
        "gold.weeks": ("new", True),
        "gold.advice": ("silver.heard is rebuilt", False),
    }


def test_other_code_makes_a_table_stale_as_a_whole() -> None:
    state = Snapshot()
    state.last["gold.weeks"] = replace(state.last["gold.weeks"], fingerprint="other code")
    assert reasons(state) == {"gold.weeks": ("code or setting changed", True)}


def test_a_build_without_a_record_is_repeated() -> None:
    state = Snapshot()
    del state.last["gold.weeks"]
    assert reasons(state) == {"gold.weeks": ("no record of a build", True)}


def test_a_full_rebuild_takes_everything_but_files_that_were_read() -> None:
    rebuilt = ["silver.heard", "models.taste", "gold.weeks", "gold.advice", "ops.balance"]
    assert reasons(Snapshot(), full=True) == dict.fromkeys(rebuilt, ("full rebuild", True))


def test_a_change_upstream_makes_a_table_stale_for_what_changed() -> None:
    state = Snapshot(changed={"gold.advice": {"silver.heard": NOTHING, "models.taste": EVERYTHING}})
    assert reasons(state) == {"gold.advice": ("models.taste changed", False)}
    state = Snapshot(changed={"gold.weeks": {"silver.heard": SOME}, "gold.advice": {"silver.heard": NOTHING}})
    assert reasons(state) == {"gold.weeks": ("silver.heard changed", False)}


def test_listeners_who_were_held_back_are_tried_again_although_nothing_changed() -> None:
    state = Snapshot(held={"gold.weeks": frozenset({"ann"}), "gold.advice": frozenset({"ann", "bob"})})
    assert reasons(state) == {
        "gold.weeks": ("1 listener held back before", False),
        "gold.advice": ("2 listeners held back before", False),
    }
    state = Snapshot(held={"silver.heard": frozenset({"ann"})})
    assert reasons(state)["gold.weeks"] == ("silver.heard is rebuilt", False)


def test_what_the_kernel_writes_in_this_run_makes_its_readers_stale_and_is_not_built_itself() -> None:
    assert reasons(Snapshot(), written={"ops.files"}) == {"ops.balance": ("ops.files is rebuilt", False)}
    state = Snapshot()
    state.versions["ops.files"] = None
    assert reasons(state) == {}


def test_a_model_that_cannot_be_trained_here_holds_up_only_those_that_need_it() -> None:
    state = Snapshot()
    state.versions["models.taste"] = None
    needy = a_table("gold.needy", "taste")
    state.tables, state.versions["gold.needy"] = {**TABLES, needy.name: needy}, 3
    state.last["gold.needy"] = Built("code of gold.needy", {}, 3, 1.0, metadata_fingerprint(needy))
    state.last["gold.weeks"] = replace(state.last["gold.weeks"], fingerprint="other code")
    code = Code({}, {**CODE.fingerprints, "gold.needy": "code of gold.needy"})
    decided = plan(state, code, [*CHOSEN, "gold.needy"], {}, unavailable=["models.taste"])
    assert {name: one.why for name, one in decided.stale.items()} == {
        "models.taste": "new",
        "gold.weeks": "code or setting changed",
        "gold.needy": "models.taste is rebuilt",
    }
    assert decided.unavailable == {"models.taste"}
    assert [one.table for one in decided.buildable] == ["gold.weeks", "gold.needy"]


def test_what_cannot_be_built_here_is_alone_no_reason_for_a_run() -> None:
    state = Snapshot()
    state.versions["models.taste"] = None
    assert reasons(state, unavailable=["models.taste"]) == {}
    assert set(reasons(state)) == {"models.taste", "gold.advice"}


def described(name: str, **changes: Any) -> Snapshot:
    """All is built, and one table's declaration has changed since."""
    return Snapshot(tables={**TABLES, name: replace(TABLES[name], **changes)})


def test_changed_comments_are_written_and_rebuild_nothing() -> None:
    other = (column("user_id", "string", "the listener"),)
    assert planned(described("gold.weeks", columns=other)) == Plan(tuple(CHOSEN), CODE, {}, ("gold.weeks",), frozenset())
    assert planned(described("gold.weeks", description="One row per listener.")).described_anew == ("gold.weeks",)


def test_comments_are_written_with_a_whole_rebuild_and_beside_a_partial_one() -> None:
    state = described("gold.weeks", description="One row per listener.")
    assert planned(state, {"plays": 1}).described_anew == ("gold.weeks",)
    assert planned(state, full=True).described_anew == ()


def test_comments_of_a_model_and_of_what_was_never_built_are_written_nowhere() -> None:
    assert planned(described("models.taste", description="Another text.")).described_anew == ()
    state = described("gold.weeks", description="Another text.")
    state.versions["gold.weeks"] = None
    assert planned(state).described_anew == ()
    state = described("gold.weeks", description="Another text.")
    del state.last["gold.weeks"]
    assert planned(state).described_anew == ()


def test_comments_are_written_anew_where_an_older_version_noted_none() -> None:
    state = Snapshot()
    state.last["gold.weeks"] = replace(state.last["gold.weeks"], metadata=None)
    assert planned(state).described_anew == ("gold.weeks",)


class Modules:
    """Stands for the fingerprints of modules: the module's name and its parameters."""

    def of(self, module: str, parameters: Mapping[str, Any]) -> str:
        return f"{module} {sorted(parameters.items())}"


def test_code_holds_the_parameters_that_a_table_asks_for_and_fingerprints_of_what_has_code() -> None:
    asking = replace(WEEKS, parameters=("gap",))
    code = Code.of({**TABLES, "gold.weeks": asking}, ["gold.weeks", "ops.files"], {"gap": 30, "zone": "UTC"}, Modules())
    assert code.parameters == {"gold.weeks": {"gap": 30}, "ops.files": {}}
    assert code.fingerprints == {"gold.weeks": f"{WEEKS.module} [('gap', 30)]"}
    with pytest.raises(DeclarationError, match=r"gold\.weeks: no setting provides gap"):
        Code.of({"gold.weeks": asking}, ["gold.weeks"], {}, Modules())


CREATED = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)
"""When the models in use were trained."""


def learned(upstream_rows: Mapping[str, int], upstreams: Mapping[str, Any]) -> dict[str, Any]:
    """A row of ops.models."""
    return {
        "model_id": "moods-1",
        "created_at": CREATED,
        "upstream_rows": json.dumps(upstream_rows),
        "upstreams": json.dumps(upstreams),
    }


def trainable(rows: int, *, taste: Any = "taste-1", then: Mapping[str, int] | None = None) -> Snapshot:
    """`moods` learned from 1,000 rows of heard and from the model taste-1; heard has `rows` now, taste that id."""
    row = learned(then if then is not None else {"silver.heard": 1000}, {"silver.heard": 2, "models.taste": taste})
    models = {"moods": row, "taste": {**row, "model_id": "taste-1"}}
    return Snapshot(models=models, lakehouse=Rows({"silver.heard": rows}))


def worth(state: Snapshot, days: float = 1.0) -> str | None:
    return worth_training(state, "models.moods", CREATED + dt.timedelta(days=days))


def test_a_model_without_a_row_or_a_policy_is_trained() -> None:
    assert worth(Snapshot()) == "new"
    state = trainable(1000)
    state.tables = {**TABLES, "models.moods": replace(MOODS, retrain=None)}
    assert worth(state) == "new"


@pytest.mark.parametrize("rows", [900, 1000, 1100])
def test_a_model_is_kept_while_its_upstreams_grow_or_shrink_by_no_more_than_its_share(rows: int) -> None:
    assert worth(trainable(rows)) is None


@pytest.mark.parametrize(("rows", "shown"), [(1101, "1,101"), (899, "899")])
def test_a_model_is_trained_again_when_an_upstream_grew_or_shrank_by_more(rows: int, shown: str) -> None:
    assert worth(trainable(rows)) == f"silver.heard has {shown} rows, 1,000 at the last training"


def test_the_share_is_of_the_policy() -> None:
    state = trainable(1300)
    state.tables = {**TABLES, "models.moods": replace(MOODS, retrain=Retrain(share=0.3, days=90))}
    assert worth(state) is None


def test_rows_of_an_upstream_that_was_not_counted_are_new() -> None:
    assert worth(trainable(7, then={})) == "silver.heard has 7 rows, 0 at the last training"


def test_a_model_is_trained_again_when_a_model_it_learned_from_is_another() -> None:
    assert worth(trainable(1000, taste="taste-0")) == "models.taste was trained"
    assert worth(trainable(1000, taste=None)) == "models.taste was trained"
    # An older version noted a time, which cannot be compared with an id.
    assert worth(trainable(1000, taste=1_700_000_000_000_000)) is None


def test_rows_count_also_behind_a_model() -> None:
    """The model stands before the table among the upstreams."""
    state = trainable(2000)
    state.tables = {**TABLES, "models.moods": a_table("models.moods", "taste", "heard")}
    assert worth(state) == "silver.heard has 2,000 rows, 1,000 at the last training"


def test_a_model_is_trained_again_when_it_is_older_than_its_policy() -> None:
    assert worth(trainable(1000), days=90.9) is None
    assert worth(trainable(1000), days=91) == "91 days old"
