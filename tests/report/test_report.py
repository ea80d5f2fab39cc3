"""The report: figures equal those of the history, text stays text, and wrong usage is told."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.end_to_end.pipeline import Pipeline
from tests.report.histories import (
    HOSTILE_ARTIST,
    HOSTILE_GENRE,
    HOSTILE_LISTENER,
    HOSTILE_TRACKS,
    SHOWN,
    SYNTHETIC_LISTENER,
    hostile_rows,
)

LARGEST = 3_000_000


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.raw = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.raw = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self.raw = ""

    def handle_data(self, data: str) -> None:
        if not self.raw:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def written(pipeline: Pipeline, folder: Path, *options: str) -> str:
    out = folder / "page.html"
    answer = pipeline.call("report", "--out", str(out), *options)
    assert answer.code == 0, answer.text
    return out.read_text(encoding="utf-8")


def specs_of(page: str) -> dict[str, dict[str, object]]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert found
    specs: dict[str, dict[str, object]] = json.loads(found[1])
    return specs


def test_headline_figures_are_those_of_the_history(hostile: Pipeline, tmp_path: Path) -> None:
    rows = hostile_rows()
    text = Elements(written(hostile, tmp_path)).text
    listens = [row for row in rows if row["ms_played"] >= 30_000]
    hours = sum(row["ms_played"] for row in rows) / 3_600_000
    measured = sum(row["spotify_track_uri"][-1] in "12" for row in listens)
    assert f"plays {len(rows)} {len(listens)} of 30 s or more" in text
    assert f"hours listened {hours:.0f} " in text
    assert "tracks 8 " in text
    assert "artists 7 " in text
    assert "days with music 120 " in text
    assert f"skipped {12 / len(rows):.1%} left before the end, n = {len(rows)}" in text
    assert f"({measured / len(listens):.0%} of all listens) have measured features" in text
    assert "From 1 March 2023 to 29 April 2024." in text


def test_top_lists_count_listens_by_period(hostile: Pipeline, tmp_path: Path) -> None:
    page = written(hostile, tmp_path)
    rows = [row for row in hostile_rows() if row["ms_played"] >= 30_000]
    for period, own in (("All time", rows), ("2023", [row for row in rows if row["ts"].startswith("2023")])):
        top = sum(row["master_metadata_album_artist_name"] == HOSTILE_ARTIST for row in own)
        block = page.split(f'data-l0-period="{period}"')[1]
        first = re.search(r'<bdi class="name">(.*?)</bdi>.*?<td class="n">([\d,]+)<small>', block, re.DOTALL)
        assert first
        assert (html.unescape(first[1]), first[2]) == (HOSTILE_ARTIST, f"{top}")


def test_names_from_outside_stay_text(hostile: Pipeline, tmp_path: Path) -> None:
    page = written(hostile, tmp_path)
    found = Elements(page)
    # The data of the charts, Vega, and the page's own script: a name has added none.
    assert [tag for tag, _ in found.tags].count("script") == 3
    assert not [tag for tag, _ in found.tags if tag in ("img", "iframe", "object", "form", "i")]
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert not [value for _, a in found.tags for name in ("href", "src") if (value := a.get(name)) and value[:1] not in "#d"]
    for name in (HOSTILE_TRACKS[1], HOSTILE_TRACKS[2], HOSTILE_TRACKS[3], HOSTILE_TRACKS[6], HOSTILE_ARTIST, HOSTILE_GENRE):
        assert name in found.text
    assert "שלום {{ 7 * 7 }} ${7*7}" in found.text
    assert "\u202e" not in page


def test_the_page_names_no_address_to_fetch_and_only_its_scripts_by_hash(hostile: Pipeline, tmp_path: Path) -> None:
    policy = next(a["content"] for tag, a in Elements(written(hostile, tmp_path)).tags if "Policy" in str(a.get("http-equiv")))
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    scripts = policy.split(";")[1]
    assert not re.search("unsafe|http|data|self", scripts)
    assert "http" not in policy


def test_the_page_holds_what_is_drawn_and_no_play(hostile: Pipeline, tmp_path: Path) -> None:
    page = written(hostile, tmp_path)
    assert len(page.encode()) < LARGEST
    specs = specs_of(page)
    assert set(specs) == {
        *("l0-calendar", "l0-week", "l0-contrasts"),
        *("l0-moods_time", "l0-certainty_time", "l0-moods_hour", "l0-certainty_hour"),
    }
    drawn = json.dumps(specs)
    assert "play_id" not in drawn
    assert "ms_played" not in drawn
    assert "spotify:track" not in page
    assert str(hostile.root) not in page
    assert page.count("class VegaEmbed") <= 1


def test_mood_shares_add_up_and_the_measured_ones_are_those_of_the_catalogue(hostile: Pipeline, tmp_path: Path) -> None:
    spec = json.dumps(specs_of(written(hostile, tmp_path))["l0-moods_hour"])
    cells = json.loads(re.findall(r'"(?:values|data-\w+)": (\[\{.*?\}\])', spec)[0])
    hours: dict[int, float] = {}
    for cell in cells:
        hours[cell["at"]] = hours.get(cell["at"], 0) + cell["share"]
    assert hours == {hour: pytest.approx(1, abs=1e-3) for hour in hours}
    listens = [r for r in hostile_rows() if r["ms_played"] >= 30_000 and r["spotify_track_uri"][-1] in "12"]
    for hour in (8, 23):
        own = [r["spotify_track_uri"][-1] == "1" for r in listens if r["ts"][11:13] == f"{hour:02d}"]
        happy = next(cell for cell in cells if (cell["at"], cell["mood"]) == (hour, "Happy and energetic"))
        assert (happy["n"], happy["known"]) == (sum(own), len(own))


def test_contrasts_show_the_difference_that_was_put_in(hostile: Pipeline, tmp_path: Path) -> None:
    row = next(r for r in hostile.rows("gold.weekend_effects") if r["feature_name"] == "valence")
    assert row["is_significant"]
    assert row["difference"] < -0.6
    low, high = (f"{row[name]:.3f}".replace("-", "\u2212") for name in ("difference_low", "difference_high"))
    told = f"{row['weekend_mean']:.3f} {row['weekday_mean']:.3f} \u2212{-row['difference']:.3f} {low} to {high}"
    assert f"Weekend: valence (positiveness) {told} " in Elements(written(hostile, tmp_path)).text


def test_without_catalogue_there_are_reasons_instead_of_charts(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.write("history.json", hostile_rows())
    pipeline.build(*SHOWN)
    page = written(pipeline, tmp_path)
    text = Elements(page).text
    assert "so there are no moods" in text
    assert "dataset.csv into the landing folder" in text
    assert "No genre is known" in text
    assert not [name for name in specs_of(page) if "mood" in name or "certainty" in name]


def test_a_single_short_play_is_a_page_without_traceback(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.write("history.json", [hostile_rows()[0] | {"ms_played": 1000, "skipped": True}])
    pipeline.build(*SHOWN)
    text = Elements(written(pipeline, tmp_path)).text
    assert "There is no listen" in text
    assert "Nothing could be tested" in text


def test_tables_that_are_not_built_are_named(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.write("history.json", hostile_rows()[:10])
    pipeline.build("--only", "silver.users", "--only", "gold.top_artists")
    text = Elements(written(pipeline, tmp_path)).text
    assert "Not built yet: gold.user_metrics." in text
    assert "Not built yet: gold.top_tracks, gold.top_genres." in text


def test_the_listener_with_most_plays_that_is_real_is_the_default(several: Pipeline, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    answer = several.call("report", "--out", str(out))
    assert "listener me: " in answer.out
    assert "one of 3 listeners" in answer.out
    assert f"report: {out} (" in answer.out.replace("\n", "")
    document = several.call("report", "--out", str(out), "--user", SYNTHETIC_LISTENER, "--json").document
    assert document == {"out": str(out), "bytes": out.stat().st_size, "listeners": [SYNTHETIC_LISTENER], "listeners_in_all": 3}
    assert "A synthetic listener: this history is made up." in out.read_text()


def test_all_keeps_real_and_synthetic_listeners_apart(several: Pipeline, tmp_path: Path) -> None:
    page = written(several, tmp_path, "--all")
    assert len(page.encode()) < LARGEST
    overview = page.split('data-listener="l0"')[0]
    real, synthetic = (Elements(part).text for part in overview.split("Synthetic listeners"))
    plays = len(hostile_rows())
    assert f"listeners 2 plays {plays + 50} " in real
    assert SYNTHETIC_LISTENER not in real.split("Who listens, and how much?")[1]
    assert f"listeners 1 plays {plays + plays // 2} " in synthetic
    assert HOSTILE_LISTENER in real
    assert not [tag for tag, _ in Elements(page).tags if tag == "img"]
    assert [a["value"] for tag, a in Elements(page).tags if tag == "option"][:4] == ["overview", "l0", "l1", "l2"]


def test_too_many_listeners_for_a_page_leave_the_overview(
    several: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from report import page

    monkeypatch.setattr(page, "LARGEST_PAGE", 960_000)
    content = written(several, tmp_path, "--all")
    assert "There are too many for one page" in content
    assert 'data-listener="l0"' not in content
    assert set(specs_of(content)) == {"o0-real"}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--user", "mee"], 2, "there is no listener 'mee'; the listeners are me"),
        (["--user", "me", "--all"], 2, "not allowed with"),
        (["--out", "{folder}"], 2, "is a folder; name a file"),
        (["--out", "{folder}/notes.html"], 2, "exists and is not a report"),
        (["--out", "{folder}/notes.html/page.html"], 1, "error: "),
    ],
)
def test_wrong_usage_is_told_and_writes_nothing(
    hostile: Pipeline, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    notes = tmp_path / "notes.html"
    notes.write_text("mine")
    answer = hostile.call("report", *[option.format(folder=tmp_path) for option in options])
    assert answer.code == code
    assert message in answer.err
    assert "Traceback" not in answer.text
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("notes.html", "mine")]


def test_a_report_replaces_an_earlier_one(hostile: Pipeline, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert hostile.call("report", "--out", str(out)).code == 0
    assert hostile.call("report", "--out", str(out)).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_without_a_lakehouse_the_remedy_is_told(pipeline: Pipeline, tmp_path: Path) -> None:
    answer = pipeline.call("report", "--out", str(tmp_path / "page.html"))
    assert (answer.code, answer.out) == (2, "")
    assert f"there is no lakehouse in {pipeline.root}" in answer.err
    pipeline.root.mkdir()
    empty = pipeline.call("report", "--out", str(tmp_path / "page.html"))
    assert (empty.code, empty.out) == (1, "")
    assert "`lakehouse run` reads a history" in empty.err


def test_a_run_names_the_report_and_starts_without_what_only_it_needs(hostile: Pipeline) -> None:
    import subprocess
    import sys

    from lakehouse.settings import PROJECT_ROOT

    assert "lakehouse report\n" in hostile.call("run").out
    code = (
        "import atexit, sys, runpy; sys.argv = ['run_pipeline.py', *sys.argv[1:]]\n"
        "loaded = lambda: {'altair', 'jinja2', 'duckdb', 'vl_convert', 'playwright'} & set(sys.modules)\n"
        "atexit.register(lambda: print(sorted(loaded())))\n"
        "runpy.run_module('run_pipeline', run_name='__main__')"
    )
    command = [sys.executable, "-c", code, *hostile.arguments("run", [])]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=hostile.home, env={"PYTHONPATH": str(PROJECT_ROOT)}
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]"), done.stderr
