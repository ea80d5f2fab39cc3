"""Whatever happens to the landing folder and the settings, building what changed gives what building everything gives."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lakehouse.small_graph import RAISING, Lake, declared, statuses

USERS, ITEMS = ("ann", "bob", "cid"), ("x", "y", "z")
line = st.tuples(st.sampled_from(USERS), st.sampled_from(ITEMS), st.integers(0, 3))
EDIT = st.one_of(
    st.tuples(st.just("drop"), st.lists(line, min_size=1, max_size=3)),
    st.tuples(st.just("move"), st.sampled_from(USERS)),
    st.tuples(st.just("gap"), st.integers(30, 32)),
    st.tuples(st.just("fail"), st.booleans()),
    st.tuples(st.just("only"), st.sampled_from(["silver.mini_items", "gold.mini_counts", "bronze"])),
)


class Story:
    """Applies edits to a lake, a run after each."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.gap = Lake(folder), 30
        self.lake.drop("listeners/ann/base.txt", ",x,1", ",y,2", "bob,x,3")
        self.lake.run()

    def apply(self, number: int, kind: str, value: object) -> None:
        """One edit, then a run (of a part only, for `only`)."""
        selectors: tuple[str, ...] = ()
        if kind == "drop":
            self.lake.drop(f"{number}.txt", *[",".join(map(str, entry)) for entry in value])
        elif kind == "move":
            found = next(self.lake.landing.glob("listeners/*/base.txt"))
            target = self.lake.landing / "listeners" / str(value) / "base.txt"
            target.parent.mkdir(exist_ok=True)
            found.rename(target)
        elif kind == "gap":
            self.gap = value
        elif kind == "fail":
            (RAISING.add if value else RAISING.discard)("gold.mini_totals")
        else:
            selectors = (str(value),)
        self.lake.run(*selectors, session_gap_minutes=self.gap)


@settings(max_examples=4, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(EDIT, min_size=2, max_size=4))
def test_incremental_builds_equal_a_full_rebuild_and_a_replay_does_nothing(edits: list[tuple[str, object]]) -> None:
    with declared(), TemporaryDirectory() as folder:
        story = Story(Path(folder))
        for number, (kind, value) in enumerate(edits):
            story.apply(number, kind, value)
        RAISING.clear()
        lake = story.lake
        lake.run(session_gap_minutes=story.gap)
        incremental, versions = lake.content(), lake.versions()
        assert statuses(lake.run(session_gap_minutes=story.gap)) == {}
        assert lake.versions() == versions
        shutil.rmtree(lake.root)
        assert lake.run(session_gap_minutes=story.gap).exit_code == 0
        assert lake.content() == incremental
