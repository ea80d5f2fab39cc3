"""What the metrics of the blend of track vectors say of it."""

from __future__ import annotations

import numpy as np

from models.tracks.track_blend import next_track_metrics


def notes_of(ours: list[float], other: list[float]) -> dict[str, str | None]:
    metrics = next_track_metrics({"blended": np.array(ours), "sessions alone": np.array(other)}, "real")
    return {metric.metric: metric.note for metric in metrics}


def test_a_blend_that_loses_says_that_it_is_published_all_the_same() -> None:
    notes = notes_of([30.0, 400.0, 10.0], [1.0, 2.0, 3.0])
    for metric in ("next track hit@20", "next track geometric mean rank"):
        note = notes[metric]
        assert note is not None
        assert note.startswith("does not beat sessions alone; published all the same, because")
        assert notes[f"{metric}: sessions alone"] is None


def test_a_blend_that_wins_needs_no_remark() -> None:
    assert set(notes_of([1.0, 2.0, 3.0], [30.0, 400.0, 10.0]).values()) == {None}
