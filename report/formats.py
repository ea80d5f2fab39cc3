"""Numbers, dates and names as the page writes them."""

from __future__ import annotations

import datetime as dt
import re

# Control and direction characters of a name would change the text around it.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
LONGEST_NAME = 120

FEATURES = {
    "valence": "valence (positiveness)",
    "tempo": "tempo (beats per minute)",
    "loudness": "loudness (dB)",
    "skip_rate": "skip rate",
    "minutes_per_active_day": "minutes per active day",
}
MOODS = {
    "Happy_Energetic": "Happy and energetic",
    "Happy_Calm": "Happy and calm",
    "Neutral": "Neutral",
    "Sad_Calm": "Sad and calm",
    "Sad_Energetic": "Sad and energetic",
}
FEATURE_SOURCES = {
    "api": "Measured by Spotify",
    "kaggle_id": "Catalogue, same track id",
    "kaggle_name": "Catalogue, same title and artist",
    "artist_mean": "Estimated: mean of the artist's tracks",
    "synthetic": "Made up: nothing else covers the track",
    "none": "No features",
}


def integer(value: float | None) -> str:
    """A count: 12,345."""
    return "-" if value is None else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """A share (0-1) as a percentage; small ones keep a digit."""
    if value is None:
        return "-"
    return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def hours(minutes: float | None) -> str:
    """Minutes as hours: 5,289 h, or 3.5 h where they are few."""
    if minutes is None:
        return "-"
    value = minutes / 60
    return f"{value:,.0f} h" if value >= 10 else f"{value:.1f} h"


def number(value: float | None) -> str:
    """A figure with three significant digits."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}".replace("-", "\u2212")
    return (f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}").replace("-", "\u2212")


def signed(value: float | None) -> str:
    """A difference, with its sign."""
    return "-" if value is None else ("+" if value > 0 else "") + number(value)


def p_value(value: float | None) -> str:
    """A p-value: what is below a thousandth only says so."""
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def moment(value: dt.datetime) -> str:
    """To the minute, such as 2024-06-01 10:00."""
    return f"{value:%Y-%m-%d %H:%M}"


def day(value: dt.date | dt.datetime | None) -> str:
    """8 July 2013."""
    return "-" if value is None else f"{value.day} {value:%B %Y}"


def name(value: str | None, longest: int = LONGEST_NAME) -> str:
    """A text from outside, such as a name: one line, no control characters, not endless. Escaping is the template's."""
    text = CONTROL.sub(" ", value or "").strip() or "(no name)"
    return text if len(text) <= longest else text[: longest - 1] + "\u2026"


def feature(value: str) -> str:
    """A feature or measure as a person calls it."""
    return FEATURES.get(value, value.replace("_", " "))


def cohen(value: float | None) -> str:
    """An effect size."""
    return "-" if value is None else f"{value:.2f}".replace("-", "\u2212")


def effect(value: float | None) -> str:
    """Cohen's (1988) words for an effect size."""
    if value is None:
        return "-"
    size = abs(value)
    return "negligible" if size < 0.2 else "small" if size < 0.5 else "medium" if size < 0.8 else "large"


FILTERS = {
    "integer": integer,
    "percent": percent,
    "hours": hours,
    "number": number,
    "signed": signed,
    "p_value": p_value,
    "day": day,
    "moment": moment,
    "outside": name,
    "feature": feature,
    "effect": effect,
    "cohen": cohen,
}
