"""Names of one listener that are probably one name: artists, and recordings of an artist, that differ in a letter or less."""

from __future__ import annotations

import csv
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.dataset as ds
from rich.console import Console

from ingestion.corrections import FIELDS
from lakehouse.cli.console import forget_stdout, print_json
from lakehouse.settings import Settings
from lakehouse.storage import delta

COLUMNS = ["user_id", "artist_key", "artist_name", "recording_id", "track_name"]
# A letter more or less makes another name of a short one.
SHORTEST = 6
NUMERALS = {name: str(n) for n, name in enumerate(("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"), 1)}


@dataclass(frozen=True)
class Name:
    """An artist or a recording of a listener: its key, its artist and title as shown, its plays."""

    key: str
    artist: str
    title: str | None
    plays: int

    @property
    def text(self) -> str:
        return self.artist if self.title is None else self.title


@dataclass(frozen=True)
class Suggestion:
    """One name that is probably another."""

    user_id: str
    kind: str
    name: Name
    other: Name

    def line(self) -> dict[str, str]:
        """The line for corrections.csv, by column."""
        cells = {
            "action": "merge",
            "kind": self.kind,
            "from_artist": self.name.artist,
            "from_title": self.name.title,
            "to_artist": self.other.artist,
            "to_title": self.other.title,
            "note": f"{self.name.plays:,} and {self.other.plays:,} plays",
        }
        return {field: cells.get(field) or "" for field in FIELDS}


def suggest(settings: Settings, user: str | None, *, as_json: bool, console: Console) -> int:
    """Print the suggestions of one listener or all, those with most plays first, as lines of corrections.csv."""
    near_doubles = list(suggestions(settings, user))
    if as_json:
        print_json([asdict(one) | {"line": one.line()} for one in near_doubles])
        return 0
    if not near_doubles:
        console.print("no two names look like one")
        return 0
    try:
        _write_lines(near_doubles)
    except BrokenPipeError:
        # Whoever read the lines has seen enough, as `head` has.
        forget_stdout()
    return 0


def _write_lines(near_doubles: Sequence[Suggestion]) -> None:
    """Write the lines to stdout and, for each listener, whose they are to stderr."""
    writer = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
    whose: str | None = None
    for one in near_doubles:
        if one.user_id != whose:
            whose = one.user_id
            sys.stderr.write(f"for corrections.csv of {whose}:\n")
            writer.writeheader()
        writer.writerow({name: _safe(value) for name, value in one.line().items()})
    sys.stdout.flush()


def _safe(value: str) -> str:
    """Without control characters: names come from outside, and this goes to a terminal."""
    return "".join(character for character in value if character.isprintable())


def suggestions(settings: Settings, user: str | None = None) -> Iterator[Suggestion]:
    """By listener, artists before recordings, the most played first."""
    for user_id, (artists, recordings) in sorted(_names(settings, user).items()):
        by_plays = sorted(_pairs(artists, lambda _: None), key=lambda pair: (-pair[0].plays, pair[0].key))
        yield from (Suggestion(user_id, "artist", *pair) for pair in by_plays)
        of_artist = sorted(_pairs(recordings, lambda name: name.artist), key=lambda pair: (-pair[0].plays, pair[0].key))
        yield from (Suggestion(user_id, "recording", *pair) for pair in of_artist)


def _names(settings: Settings, user: str | None) -> Mapping[str, tuple[list[Name], list[Name]]]:
    """Per listener, the artists and the recordings with their plays; plays are counted batch by batch."""
    path = settings.dir / "silver" / "listening_with_features"
    where = None if user is None else ds.field("user_id") == user
    counts: Counter[tuple[str, ...]] = Counter()
    for batch in delta.dataset(path).to_batches(columns=COLUMNS, filter=where):
        grouped = pa.Table.from_batches([batch]).group_by(COLUMNS).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            counts[tuple(row[name] for name in COLUMNS)] += row["count_all"]
    artists: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    recordings: dict[str, list[Name]] = defaultdict(list)
    for (user_id, artist_key, artist, recording_id, title), plays in counts.items():
        if artist is None:
            continue
        artists[user_id][artist_key, artist] += plays
        if title is not None:
            recordings[user_id].append(Name(recording_id, artist, title, plays))
    of_artists = {
        whose: [Name(key, artist, None, plays) for (key, artist), plays in found.items()] for whose, found in artists.items()
    }
    return {whose: (found, recordings[whose]) for whose, found in of_artists.items()}


def _pairs(names: list[Name], group: Callable[[Name], Hashable]) -> list[tuple[Name, Name]]:
    """Each name that is nearly another of its group, with the one of these that has most plays."""
    buckets: dict[tuple[Hashable, str], list[Name]] = defaultdict(list)
    for name in names:
        for form in _forms(bare(name.text)):
            buckets[group(name), form].append(name)
    better: dict[str, Name] = {}
    for alike in buckets.values():
        for name in alike:
            for other in alike:
                best = better.get(name.key, name)
                if (other.plays, other.key) > (best.plays, best.key) and is_near(bare(name.text), bare(other.text)):
                    better[name.key] = other
    return [(name, _last(name, better)) for name in names if name.key in better]


def _last(name: Name, better: Mapping[str, Name]) -> Name:
    """The name at the end of the chain: lines do not chain, so every line has to name it."""
    while name.key in better:
        name = better[name.key]
    return name


def _forms(text: str) -> set[str]:
    """The text and, where it is long enough, all texts with a letter less: two that share one differ in a letter or two."""
    text = text.lower()
    if not text:
        return set()
    return {text, *[text[:at] + text[at + 1 :] for at in range(len(text))]} if len(text) >= SHORTEST else {text}


def bare(name: str) -> str:
    """A name without case, accents, blanks, punctuation and a leading `the`, each word with a capital: `TylerTheCreator`.

    Roman numerals from I to XII are digits. Empty for a name of symbols alone.
    """
    plain = unicodedata.normalize("NFKD", name).casefold().replace("&", " and ")
    words = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split()
    significant = words[1:] if len(words) > 1 and words[0] == "the" else words
    return "".join(NUMERALS.get(word, word[0].upper() + word[1:]) for word in significant)


def is_near(one: str, other: str) -> bool:
    """Whether two bare names are equal, or long and apart by one letter more, less or other, or by two in another order.

    Names with other digits are never near: parts and years are numbered. Neither are names of which a word begins with another
    letter: people seldom mistype it, and Nash is not Cash.
    """
    if one.lower() == other.lower():
        return bool(one)
    if min(len(one), len(other)) < SHORTEST or [*filter(str.isdigit, one)] != [*filter(str.isdigit, other)]:
        return False
    start = _shared(one, other)
    one, other = one[start:], other[start:]
    end = _shared(one[::-1], other[::-1])
    one, other = one[: len(one) - end], other[: len(other) - end]
    if any(letter.isupper() for letter in one + other):
        return False
    return max(len(one), len(other)) <= 1 or (len(one) == 2 and one == other[::-1])


def _shared(one: str, other: str) -> int:
    """How many letters both texts begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
