"""The report in a real browser: every chart draws, nothing is fetched, nothing from outside runs, figures are the tables'."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.end_to_end.pipeline import Pipeline
from tests.report.histories import HOSTILE_ARTIST, HOSTILE_LISTENER, HOSTILE_TRACKS, SYNTHETIC_LISTENER

Open = Callable[..., Any]
CHARTS = {"calendar", "week", "moods_time", "certainty_time", "moods_hour", "certainty_hour", "contrasts"}
# Per chart: marks that have an area, and what they are filled with.
MARKS = """
() => Object.fromEntries([...document.querySelectorAll('.chart')].filter((c) => c.clientWidth > 0).map((chart) => {
  const marks = [...chart.querySelectorAll('.mark-rect.role-mark path, .mark-symbol.role-mark path, .mark-rule.role-mark line')];
  const seen = marks.filter((mark) => { const box = mark.getBoundingClientRect(); return box.width + box.height > 1; });
  return [chart.id, { marks: seen.length, width: chart.querySelector('svg').getBoundingClientRect().width,
    room: chart.clientWidth, colours: new Set(seen.map((m) => m.getAttribute('fill') || m.getAttribute('stroke'))).size }];
}))
"""
CONTRASTS = """
() => {
  const channel = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => channel(Number(part)));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    const colour = getComputedStyle(e).backgroundColor;
    return !/, 0\\)$/.test(colour) ? colour : e.parentElement ? behind(e.parentElement) : 'rgb(255, 255, 255)';
  };
  const found = {};
  for (const e of document.querySelectorAll('p, h1, h2, h3, dt, dd, th, td, small, summary, bdi, strong, label')) {
    if (!e.textContent.trim() || !e.getClientRects().length) continue;
    const [a, b] = [getComputedStyle(e).color, behind(e)].map(luminance);
    found[`${e.tagName}.${e.className}`] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return found;
}
"""


def text_of(opened: Any) -> str:
    return " ".join(opened.page.inner_text("body").split())


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")])
def test_every_chart_draws_in_its_width_and_nothing_is_asked_or_complained(
    hostile: Pipeline, opened: Open, width: int, scheme: str
) -> None:
    page = opened(hostile, width=width, scheme=scheme)
    charts = page.page.evaluate(MARKS)
    assert {name.removeprefix("l0-") for name in charts} == CHARTS
    for name, drawn in charts.items():
        assert drawn["marks"] >= 2, name
        assert drawn["width"] <= drawn["room"] + 1, name
    assert charts["l0-calendar"]["marks"] > 400
    assert charts["l0-calendar"]["colours"] >= 2
    assert charts["l0-week"]["marks"] == 7 * 24
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []
    assert [url[:8] for url in page.requests] == ["file:///"]


def test_the_figures_on_the_page_are_those_of_the_tables(hostile: Pipeline, opened: Open) -> None:
    page = opened(hostile)
    metrics = hostile.rows("gold.user_metrics")[0]
    top = next(r for r in hostile.rows("gold.top_artists", period_type="all_time") if r["rank"] == 1)
    stats = dict(
        zip(page.page.locator(".stat dt").all_inner_texts(), page.page.locator(".stat .value").all_inner_texts(), strict=True)
    )
    assert stats["plays"] == f"{metrics['plays']:,}"
    assert stats["hours listened"] == f"{metrics['hours']:,.0f}"
    assert stats["tracks"] == f"{metrics['unique_tracks']:,}"
    assert stats["skipped"] == f"{metrics['skip_rate']:.1%}"
    first = page.page.locator(".ranking .name:visible").first
    assert first.inner_text() == top["artist_name"] == HOSTILE_ARTIST
    assert page.page.locator(".about-top td.n:not(.rank)").first.inner_text().split("\n")[0] == f"{top['listen_count']:,}"
    measured = sum(r["listen_count"] for r in hostile.rows("gold.feature_source_coverage") if r["measured"])
    assert f"{measured} of them ({measured / metrics['listens']:.0%} of all listens) have measured features" in text_of(page)


def test_hostile_names_do_not_run_and_are_shown_as_they_are(hostile: Pipeline, opened: Open) -> None:
    page = opened(hostile)
    text = text_of(page)
    for number in (1, 2, 3, 5, 6, 7, 8):
        assert HOSTILE_TRACKS[number] in text
    assert page.page.title() == "Listening history: me"
    assert page.page.locator("script").count() == 3
    assert page.page.locator("body img, body iframe").count() == 0
    for handle in page.page.locator(".about-top td").all():
        handle.dispatch_event("mouseover")
    assert page.complaints == []


def test_no_script_that_is_put_into_the_page_runs(hostile: Pipeline, opened: Open) -> None:
    page = opened(hostile)
    page.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"document.title = 1\">');"
        "const s = document.createElement('script'); s.textContent = 'document.title = 2'; document.body.append(s);"
        "fetch('https://example.invalid/').catch(() => { document.body.dataset.refused = 'yes'; })"
    )
    page.until("document.body.dataset.refused === 'yes'")
    assert page.page.title() == "Listening history: me"
    assert any("Content Security Policy" in complaint for complaint in page.complaints)
    assert [url for url in page.requests if url.startswith("http")] == []


def test_the_period_changes_the_lists(hostile: Pipeline, opened: Open) -> None:
    page = opened(hostile)
    page.page.select_option("#l0-period", "2023")
    top = next(
        r for r in hostile.rows("gold.top_artists", period_type="year") if (r["rank"], r["period_start"].year) == (1, 2023)
    )
    visible = page.page.locator(".lists:visible")
    assert visible.count() == 1
    assert visible.locator("td.n:not(.rank)").first.inner_text().split("\n")[0] == f"{top['listen_count']:,}"
    assert page.complaints == []


def test_tooltips_of_hostile_listeners_are_text_and_the_choice_draws_their_charts(several: Pipeline, opened: Open) -> None:
    page = opened(several, "--all")
    assert set(page.page.evaluate(MARKS)) == {"o0-real"}
    page.page.locator("#o0-real .mark-rect.role-mark path").nth(1).hover()
    tip = page.page.locator("#vg-tooltip-element")
    assert HOSTILE_LISTENER in " ".join(tip.inner_text().split())
    assert tip.locator("img").count() == 0
    assert "<img src=x onerror=a" in page.page.locator("#o0-real svg").text_content()
    values = page.page.locator("#listener option").evaluate_all("options => options.map((o) => [o.value, o.text])")
    synthetic = next(value for value, text in values if SYNTHETIC_LISTENER in text)
    page.page.select_option("#listener", synthetic)
    page.until(f"document.getElementById('{synthetic}-contrasts').dataset.drawn")
    charts = page.page.evaluate(MARKS)
    assert {name.removeprefix(f"{synthetic}-") for name in charts} == CHARTS
    assert all(chart["marks"] >= 2 for chart in charts.values())
    assert "A synthetic listener: this history is made up." in text_of(page)
    assert page.complaints == []


def test_colours_follow_the_scheme_and_widths_the_window(hostile: Pipeline, opened: Open) -> None:
    page = opened(hostile)
    cells = "[...document.querySelectorAll('#l0-calendar .mark-rect.role-mark path')]"
    fills = f"() => [...new Set({cells}.map((cell) => cell.getAttribute('fill')))].sort()"
    light = page.page.evaluate(fills)
    page.page.emulate_media(color_scheme="dark")
    page.until(f"!({fills})().some((colour) => {light}.includes(colour))")
    page.page.set_viewport_size({"width": 500, "height": 800})
    page.until("document.querySelector('#l0-week svg').getBoundingClientRect().width < 480")
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa_and_charts_have_names(hostile: Pipeline, opened: Open, scheme: str) -> None:
    page = opened(hostile, scheme=scheme)
    assert {name: ratio for name, ratio in page.page.evaluate(CONTRASTS).items() if ratio < 4.5} == {}
    for chart in page.page.locator(".chart").all():
        assert re.search(r"\w+ \w+", chart.get_attribute("aria-label") or "")
    levels = [int(tag[1]) for tag in page.page.locator("h1, h2, h3").evaluate_all("all => all.map((e) => e.tagName)")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
