"""Models beside tables: trained once, kept while their policy says so, rolled back by choosing an older one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.linear_model import LinearRegression

from lakehouse.cli.main import main
from lakehouse.declare import REGISTRY, DeclarationError, Fitted, Model, Retrain, column, model, table
from lakehouse.storage.artifacts import store
from lakehouse.storage.ledger import Ledger
from run_pipeline import PRODUCT
from tests.lakehouse.small_graph import AMOUNT, USER, Lake, statuses

TRAININGS: list[int] = []


def mini_mean(mini_events: DataFrame) -> Fitted:
    """The mean amount of all lines."""
    mean, rows = mini_events.agg(F.avg("amount"), F.count("*")).collect()[0]
    TRAININGS.append(rows)
    return Fitted(
        parameters={"mean": mean},
        metrics=[{"split": "test", "metric": "mean", "value": mean}],
        frames={"means": pa.table({"name": ["mean"], "mean": [mean]})},
    )


def mini_rare(mini_events: DataFrame) -> Fitted:
    """Needs Spark."""
    return Fitted(parameters={})


def mini_distances(mini_events: DataFrame, mini_mean: Model) -> DataFrame:
    """One row per user."""
    mean = mini_mean.frame("means").select("mean")
    own = mini_events.groupBy("user_id").agg(F.sum("amount").alias("amount"))
    return own.crossJoin(mean).select(
        "user_id", "amount", (F.col("amount") - F.col("mean")).alias("distance"), F.lit(mini_mean.id).alias("model_id")
    )


def mini_perhaps(mini_events: DataFrame, mini_rare: Model | None) -> DataFrame:
    """One row per user."""
    return mini_events.select("user_id").distinct().withColumn("has_model", F.lit(mini_rare is not None))


def mini_ledger(models: DataFrame) -> DataFrame:
    """One row per model in use."""
    return models.where("is_current").select("model", F.get_json_object("metrics", "$[0].value").cast("double").alias("value"))


@pytest.fixture
def modelled(lake: Lake) -> Iterator[Lake]:
    """The small graph with a model, a table scored by it, and one that lists models."""
    TRAININGS.clear()
    model("mini_mean", kind="mean", retrain=Retrain(share=0.5))(mini_mean)
    id_column = column("model_id", "string", "model")
    distance = column("distance", "double", "from the mean")
    table("gold.mini_distances", key=["user_id"], scope="user", schema=[USER, AMOUNT, distance, id_column])(mini_distances)
    listed = [column("model", "string", "name"), column("value", "double", "its metric")]
    table("gold.mini_ledger", key=["model"], scope="whole", schema=listed)(mini_ledger)
    yield lake


def test_a_model_is_trained_once_and_scores_new_rows_until_enough_are_new(modelled: Lake) -> None:
    modelled.drop("first.txt", "ann,x,5", "bob,x,1", "cid,z,3")
    modelled.run()
    first = Ledger(modelled.root).models()[0]
    assert json.loads(first["metrics"]) == [{"metric": "mean", "split": "test", "value": 3.0}]
    assert modelled.rows("gold.mini_distances") == [
        (*row, first["model_id"]) for row in [("ann", 5, 2.0), ("bob", 1, -2.0), ("cid", 3, 0.0)]
    ]
    assert modelled.rows("gold.mini_ledger") == [("mini_mean", 3.0)]

    modelled.drop("second.txt", "ann,y,7")
    report = modelled.run()
    assert (statuses(report)["models.mini_mean"], statuses(report)["gold.mini_ledger"]) == ("up to date", "up to date")
    assert modelled.rows("gold.mini_distances")[0] == ("ann", 12, 9.0, first["model_id"])
    assert {o.table: o.keys for o in report.outcomes}["gold.mini_distances"] == 1

    modelled.drop("third.txt", "ann,q,8")
    assert statuses(modelled.run())["models.mini_mean"] == "built"
    assert TRAININGS == [3, 5]
    second = Ledger(modelled.root).models()[1]
    assert second["model_id"] != first["model_id"]
    assert modelled.rows("gold.mini_distances")[0] == ("ann", 20, 20 - 4.8, second["model_id"])
    assert [m["is_current"] for m in Ledger(modelled.root).models()] == [False, True]
    assert statuses(modelled.run()) == {}
    for row in (first, second):
        assert (modelled.root / row["path"] / "parameters.json").is_file()


def test_a_table_of_all_models_alone_brings_their_training(modelled: Lake) -> None:
    modelled.drop("first.txt", "ann,x,5", "bob,x,1", "cid,z,3")
    report = modelled.run("gold.mini_ledger")
    assert (statuses(report)["models.mini_mean"], report.exit_code) == ("built", 0)
    assert modelled.rows("gold.mini_ledger") == [("mini_mean", 3.0)]


def test_going_back_to_an_older_model_rebuilds_what_it_scores(modelled: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    modelled.drop("first.txt", "ann,x,5")
    modelled.run()
    modelled.drop("second.txt", "bob,x,1", "bob,y,1")
    modelled.run()
    first, second = (row["model_id"] for row in Ledger(modelled.root).models())
    assert main(PRODUCT, ["models", "--lakehouse", str(modelled.root), "--use", first]) == 0
    used = [line for line in capsys.readouterr().out.splitlines() if line.endswith("in use")]
    assert [line.split()[0] for line in used] == [first]
    report = modelled.run()
    assert statuses(report) == {"gold.mini_distances": "built", "gold.mini_ledger": "built"}
    assert {row[3] for row in modelled.rows("gold.mini_distances")} == {first}
    assert statuses(modelled.run()) == {}
    assert main(PRODUCT, ["models", "--lakehouse", str(modelled.root), "--use", second[:-1]]) == 2
    assert second in capsys.readouterr().err


def test_a_model_whose_artifact_is_gone_is_trained_again(modelled: Lake) -> None:
    modelled.drop("first.txt", "ann,x,5")
    modelled.run()
    [row] = Ledger(modelled.root).models()
    (modelled.root / row["path"] / "parameters.json").unlink()
    modelled.drop("second.txt", "bob,x,1")
    found = statuses(modelled.run())
    assert (found["models.mini_mean"], found["gold.mini_distances"]) == ("built", "built")
    assert TRAININGS == [1, 2]
    assert statuses(modelled.run()) == {}


def test_the_same_code_and_data_give_the_same_model(modelled: Lake) -> None:
    modelled.drop("first.txt", "ann,x,5")
    modelled.run()
    report = modelled.run(full=True)
    assert statuses(report)["models.mini_mean"] == "unchanged"
    assert len(Ledger(modelled.root).models()) == 1


def mini_ratio(mini_events: DataFrame, mini_mean: Model) -> Fitted:
    """Learns from a model."""
    return Fitted(parameters={"half": mini_mean.parameters["mean"] / 2})


def mini_gaps(mini_settings: DataFrame) -> Fitted:
    """Learns from a table that a setting is part of."""
    return Fitted(parameters={})


def ids(lake: Lake) -> dict[str, str]:
    """Per model the id in use."""
    return {row["model"]: row["model_id"] for row in Ledger(lake.root).models() if row["is_current"]}


def test_two_lakehouses_of_the_same_input_have_the_same_models(modelled: Lake, tmp_path: Path) -> None:
    model("mini_ratio", kind="ratio")(mini_ratio)
    other, another = Lake(tmp_path / "other"), Lake(tmp_path / "another")
    modelled.drop("first.txt", "ann,x,5")
    modelled.run()
    modelled.drop("second.txt", "bob,x,9", "bob,y,9")
    modelled.run(full=True)
    # The same files under other names, all at once.
    other.drop("b.txt", "ann,x,5")
    other.drop("a.txt", "bob,x,9", "bob,y,9")
    other.run()
    another.drop("first.txt", "ann,x,6")
    another.drop("second.txt", "bob,x,9", "bob,y,9")
    another.run()
    assert ids(modelled).keys() == {"mini_mean", "mini_ratio"}
    assert ids(modelled) == ids(other)
    assert not set(ids(modelled).values()) & set(ids(another).values())


def test_a_model_that_learns_from_a_model_keeps_its_id_from_run_to_run(modelled: Lake) -> None:
    model("mini_ratio", kind="ratio")(mini_ratio)
    modelled.drop("first.txt", "ann,x,5")
    modelled.run()
    before = ids(modelled)
    found = statuses(modelled.run(full=True))
    assert (found["models.mini_mean"], found["models.mini_ratio"]) == ("unchanged", "unchanged")
    assert ids(modelled) == before
    modelled.drop("second.txt", *["bob,x,1"] * 3)
    assert statuses(modelled.run())["models.mini_ratio"] == "built"
    assert not set(ids(modelled).values()) & set(before.values())


def test_the_same_content_of_another_listener_is_other_input(modelled: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    modelled.drop("first.txt", ",x,5")
    other.drop("listeners/bob/first.txt", ",x,5")
    modelled.run()
    other.run()
    assert ids(modelled) != ids(other)


def test_another_setting_of_a_table_above_is_other_input(modelled: Lake, tmp_path: Path) -> None:
    model("mini_gaps", kind="gaps")(mini_gaps)
    other = Lake(tmp_path / "other")
    for lake, minutes in ((modelled, 30), (other, 20)):
        lake.drop("first.txt", "ann,x,5")
        lake.run(session_gap_minutes=minutes)
    assert ids(modelled)["mini_mean"] == ids(other)["mini_mean"]
    assert ids(modelled)["mini_gaps"] != ids(other)["mini_gaps"]


def test_a_table_does_without_a_model_that_needs_java(modelled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    model("mini_rare", kind="rare", needs="spark")(mini_rare)
    schema = [USER, column("has_model", "boolean", "whether")]
    table("gold.mini_perhaps", key=["user_id"], scope="user", schema=schema)(mini_perhaps)
    monkeypatch.setattr("lakehouse.run.builders.java_problem", lambda: "Java is not installed")
    modelled.drop("first.txt", "ann,x,5")
    report = modelled.run(engine="auto")
    assert (statuses(report)["models.mini_rare"], report.exit_code) == ("not built", 0)
    assert modelled.rows("gold.mini_perhaps") == [("ann", False)]
    again = modelled.run(engine="auto")
    assert statuses(again) == {}
    assert not again.engine_started


def test_the_embedded_engine_alone_starts_no_java(modelled: Lake) -> None:
    model("mini_rare", kind="rare", needs="spark")(mini_rare)
    modelled.drop("first.txt", "ann,x,5")
    report = modelled.run()
    told = {o.table: (o.status, o.error) for o in report.outcomes}["models.mini_rare"]
    assert told == ("not built", "it needs Spark, which --engine embedded never starts; build with --engine auto")
    assert report.exit_code == 0


def test_an_artifact_is_whole_and_never_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "m-1"
    store(Fitted(parameters={"a": 1}, estimators={"line": LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])}), folder)
    store(Fitted(parameters={"a": 2}), folder)
    stored = Model("m-1", "m", folder, None)  # type: ignore[arg-type]
    assert stored.parameters == {"a": 1}
    assert stored.estimator("line").predict([[2.0]])[0] == pytest.approx(5.0)
    with pytest.raises(TypeError):
        store(Fitted(parameters={"a": object()}), tmp_path / "m-2")
    assert not (tmp_path / "m-2").exists()


def test_a_foreign_type_in_an_artifact_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "m-1"
    store(Fitted(parameters={}, estimators={"odd": Path("x")}), folder)
    with pytest.raises(ValueError, match="no model here contains"):
        Model("m-1", "m", folder, None).estimator("odd")  # type: ignore[arg-type]


def test_a_model_and_a_table_cannot_share_a_name(modelled: Lake) -> None:
    with pytest.raises(DeclarationError, match="has that name already"):
        model("mini_events", kind="mean")(mini_mean)
    with pytest.raises(DeclarationError, match="identifier"):
        model("mini mean", kind="mean")(mini_mean)
    assert "models.mini mean" not in REGISTRY
