"""Declarations: what a table must say of itself, and how a wrong one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.declare import REGISTRY, Column, DeclarationError, Table, at_least, column, foreign_key, not_null, table
from lakehouse.declare.table import check_columns, enforce, parameters_of
from lakehouse.plan.fingerprint import Fingerprints
from lakehouse.plan.staleness import Code
from tests.lakehouse.small_graph import Lines

ID, NUMBER = column("user_id", "string", "who"), column("number", "bigint", "how many")


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)


def mini(upstream_a: Any, upstream_b: Any, *, allow_synthetic: bool) -> Any:
    """One row per user."""


def mini_landed(landed: Any) -> Any:
    """One row per line."""


def mini_constant(upstream_a: Any, *, allow_synthetic: bool, weights: tuple[int, ...] = (1, 2)) -> Any:
    """One row per user."""


def undocumented(upstream_a: Any) -> Any:
    pass


def greedy(upstream_a: Any, **rest: Any) -> Any:
    """One row per user."""


def mixed(landed: Any, upstream_a: Any) -> Any:
    """One row per user."""


def declare(transform: Any = mini, **changes: Any) -> Table:
    options: dict[str, Any] = {"name": "gold.mini", "key": ["user_id"], "scope": "user", "schema": [ID, NUMBER]} | changes
    name = options.pop("name")
    table(name, **options)(transform)
    return REGISTRY[name]


def test_arguments_name_upstreams_and_keyword_only_arguments_name_parameters() -> None:
    declared = declare()
    assert declared.upstreams == ("upstream_a", "upstream_b")
    assert declared.parameters == ("allow_synthetic",)
    assert (declared.layer, declared.short_name, declared.category) == ("gold", "mini", "gold.lakehouse")
    assert declared.description == "One row per user."


def test_key_columns_are_never_null_and_the_key_is_unique_without_being_said() -> None:
    declared = declare()
    assert declared.columns == (Column("user_id", "string", "who", nullable=False), NUMBER)
    assert [rule.name for rule in declared.rules] == ["unique(user_id)", "not_null(user_id)"]
    assert {rule.severity for rule in declared.rules} == {"FAIL"}


def test_a_column_declared_not_null_gets_the_rule_that_holds_it_to_that() -> None:
    declared = declare(schema=[ID, column("number", "bigint", "how many", nullable=False)])
    assert "not_null(number)" in [rule.name for rule in declared.rules]


@pytest.mark.parametrize(
    ("scope", "key", "expected"),
    [("user", ["number"], "user_id"), ("entity", ["number"], "number"), ("whole", ["number"], None), ("model", ["number"], None)],
)
def test_the_scope_says_in_which_column_changes_are_told(scope: str, key: list[str], expected: str | None) -> None:
    assert declare(scope=scope, key=key).scope_column == expected


def test_a_table_fed_by_landing_files_has_no_upstreams() -> None:
    declared = declare(mini_landed, name="bronze.mini", sources=[Lines()])
    assert (declared.is_landing, declared.upstreams) == (True, ())


@pytest.mark.parametrize(
    ("transform", "changes", "message"),
    [
        (mini, {"name": "platinum.mini"}, "LAYER one of"),
        (mini, {"name": "mini"}, "LAYER one of"),
        (mini, {"name": "gold.mini table"}, "LAYER one of"),
        (mini, {"name": "gold.mini.b"}, "LAYER one of"),
        (mini, {"schema": [ID, NUMBER, NUMBER]}, "declared twice"),
        (mini, {"key": []}, "must name declared columns"),
        (mini, {"key": ["user_id", "absent"]}, "must name declared columns"),
        (mini, {"scope": "galaxy"}, "scope 'galaxy'"),
        (mini, {"schema": [NUMBER], "key": ["number"]}, "lacks its column"),
        (mini, {"scope": "file"}, "lacks its column"),
        (mini, {"rules": [not_null("absent")]}, "not_null(absent) names a column that is not declared"),
        (mini, {"rules": [not_null("user_id")]}, "not_null(user_id) is declared twice"),
        (mini, {"schema": [ID, column("number", "int", "n", at_least=1)], "rules": [at_least("number", 1)]}, "declared twice"),
        (mini, {"schema": [ID, replace(column("share", "double", "s", at_least=1), name="part")]}, "at_least(share,1) names a"),
        (mini, {"touches": {"upstream_c": (mini, "upstream_a")}}, "upstream_c"),
        (mini, {"sources": [Lines()]}, "takes one argument, landed"),
        (undocumented, {}, "needs a docstring"),
        (greedy, {}, "no *args and no **kwargs"),
        (mixed, {}, "takes one argument, landed"),
    ],
)
def test_a_wrong_declaration_is_refused_and_names_the_mistake(transform: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare(transform, **changes)
    assert message in str(caught.value)
    assert "mini" in str(caught.value)
    assert "gold.mini" not in REGISTRY


@pytest.mark.parametrize(("type", "comment"), [("varchar", "text"), ("timestamp_ntz", "when"), ("string", "")])
def test_a_column_of_a_type_not_every_engine_has_or_without_comment_is_refused(type: str, comment: str) -> None:
    with pytest.raises(DeclarationError, match="column odd"):
        column("odd", type, comment)


def test_two_tables_may_not_share_a_short_name() -> None:
    def top_artists(upstream_a: Any) -> Any:
        """One row per user."""

    REGISTRY["gold.top_artists"] = declare(schema=[ID], name="gold.placeholder")
    with pytest.raises(DeclarationError, match="ambiguous"):
        _from_another_module(top_artists)


def _from_another_module(transform: Any) -> None:
    transform.__module__ = "silver.elsewhere"
    declare(transform, name="silver.placeholder")


def test_a_parameter_that_no_setting_provides_is_refused() -> None:
    declared = declare()
    assert parameters_of(declared, {"allow_synthetic": True, "other": 1}) == {"allow_synthetic": True}
    with pytest.raises(DeclarationError, match="no setting provides allow_synthetic"):
        parameters_of(declared, {"other": 1})


def test_a_keyword_only_argument_with_a_default_is_a_constant_and_no_parameter() -> None:
    declared = declare(mini_constant)
    assert (declared.parameters, declared.constants) == (("allow_synthetic",), {"weights": (1, 2)})
    assert parameters_of(declared, {"allow_synthetic": True}) == {"allow_synthetic": True}


def test_a_changed_constant_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = declare(mini_constant)
    assert declared.transform is not None

    def code() -> tuple[dict[str, Any], str]:
        made = Code.of({"gold.mini": declared}, ["gold.mini"], {"allow_synthetic": True}, Fingerprints())
        return dict(made.parameters["gold.mini"]), made.fingerprints["gold.mini"]

    parameters, before = code()
    assert parameters == {"allow_synthetic": True}
    assert code()[1] == before
    monkeypatch.setitem(declared.transform.__kwdefaults__, "weights", (1, 3))
    assert code()[1] != before


def test_results_take_the_declared_order_and_types(spark: SparkSession) -> None:
    declared = declare()
    result = enforce(declared, spark.createDataFrame([(7, "ann")], "number int, user_id string"))
    assert [(f.name, f.dataType.simpleString()) for f in result.schema] == [("user_id", "string"), ("number", "bigint")]
    assert result.collect() == [("ann", 7)]


def test_results_with_other_columns_are_refused_and_named(spark: SparkSession) -> None:
    declared = declare()
    with pytest.raises(DeclarationError, match=r"missing \['number'\], extra \['count'\]"):
        check_columns(declared, spark.createDataFrame([("ann", 1)], "user_id string, count int"))


def test_a_table_that_the_kernel_writes_cannot_be_run() -> None:
    from lakehouse.storage.ledger import PIPELINE_RUNS

    with pytest.raises(DeclarationError, match="written by the kernel"):
        PIPELINE_RUNS.run()


def test_a_rule_refers_to_a_table_that_the_function_reads() -> None:
    with pytest.raises(DeclarationError, match=r"foreign_key\(user_id->silver\.users\.user_id\) refers to a table"):
        declare(rules=[foreign_key("user_id", "silver.users", "user_id")])
