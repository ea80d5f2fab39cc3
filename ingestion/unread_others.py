"""Exports of other services and tools, and public data sets, that are known and not read: what each is, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ingestion import dislikes
from ingestion.csv_rows import header_of, rows_of
from ingestion.json_list import object_keys_in
from ingestion.lastfm_csv import is_header
from ingestion.text_lines import first_lines, most
from lakehouse.declare import Explainer, Explanation, Sample

BETTER_LASTFM = "export with lastfm.ghan.nl/export, whose times are certain"
NO_ZONE = "nothing says in which time zone its times are"
ORIGINAL = "put in the history of the service that it came from"
COUNTS = "it counts plays and says nothing of their times"
CLOCK = r"\d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?(?: [+-]\d\d:?\d\d)?"
SLASHED = re.compile(r"(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}[/.]\d{1,2}[/.]\d{1,2}),? " + CLOCK, re.IGNORECASE)
ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
ISO_DAY, TIME_OF_DAY = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"\d\d:\d\d(:\d\d)?")


@dataclass(frozen=True)
class Known:
    """Files that a function recognises. They are no plays (`ignored`), or plays that are not read (`unknown`)."""

    recognises: Callable[[Sample], bool]
    explanation: Explanation

    def explain(self, sample: Sample) -> Explanation | None:
        return self.explanation if self.recognises(sample) else None


def _columns(*names: str) -> Callable[[Sample], bool]:
    return lambda sample: set(names) <= set(header_of(sample))


def _keys(*names: str) -> Callable[[Sample], bool]:
    return lambda sample: set(names) <= object_keys_in(sample)


def _lines(pattern: str) -> Callable[[Sample], bool]:
    form = re.compile(pattern)
    return lambda sample: most([form.fullmatch(line) is not None for line in first_lines(sample)])


def _begins(pattern: str) -> Callable[[Sample], bool]:
    form = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda sample: form.match(sample.text.removeprefix("\ufeff").lstrip()) is not None


def _rows(judge: Callable[[list[str]], bool]) -> Callable[[Sample], bool]:
    """Whether most rows of a table without a header are as `judge` says."""
    return lambda sample: most([judge(row) for row in rows_of(sample, first_lines(sample))])


def _not_read(what: str, why: str, remedy: str = "") -> Explanation:
    return Explanation(f"{what} is not read: {why}" + (f"; {remedy}" if remedy else ""))


def _is_slashed_list(sample: Sample) -> bool:
    names, rows = header_of(sample), rows_of(sample, first_lines(sample))
    if is_header(names):
        rows = rows[1:]
    return most([len(row) >= 3 and any(SLASHED.fullmatch(cell.strip()) for cell in row) for row in rows])


def _is_undated_list(sample: Sample) -> bool:
    return is_header(header_of(sample))


def _is_odd_dislikes(sample: Sample) -> bool:
    names = set(header_of(sample))
    return dislikes.is_named(sample) and bool(names & {"track_id", "artist", "track"})


class OddDislikes:
    """A list of dislikes with columns that it should not have, or without those that it needs."""

    def explain(self, sample: Sample) -> Explanation | None:
        if not _is_odd_dislikes(sample):
            return None
        names = header_of(sample)
        others = [name for name in names if name not in (*dislikes.FIELDS, *dislikes.OTHERS)]
        if others:
            allowed = ", ".join((*dislikes.FIELDS, *dislikes.OTHERS))
            shown = ", ".join(repr(name[:40]) for name in others[:3])
            return Explanation(f"a list of dislikes with the column {shown}: remove it (allowed are {allowed})", "broken")
        return Explanation("a list of dislikes without a column track_id or artist: add one of them", "broken")


SERVICES = (
    Known(
        _keys("header", "title", "time", "products"),
        _not_read(
            "the history of YouTube or YouTube Music", "it does not tell how long anything played, nor the artist for certain"
        ),
    ),
    Known(
        _columns("apple id number", "song name"),
        _not_read("Apple Music's play activity", "it lacks the artist"),
    ),
    Known(_columns("song name", "play duration milliseconds"), _not_read("Apple Music's play activity", "it lacks the artist")),
    Known(
        _columns("track name", "last played date"),
        _not_read("Apple Music's track play history", "it has the last day of a track only"),
    ),
    Known(_columns("track description", "date played"), _not_read("Apple Music's daily history", COUNTS)),
    Known(_begins(r"<\?xml.{0,400}<plist"), _not_read("an iTunes or Music library", COUNTS)),
    Known(_columns("song title", "artist", "listening time"), _not_read("Deezer's history", NO_ZONE)),
    Known(_columns("entry_date", "track_title", "artist_name"), _not_read("TIDAL's history", NO_ZONE)),
    Known(
        _keys("played_at", "track", "context"),
        _not_read("an answer of Spotify's recently-played interface", "it holds 50 plays at most", "request the export"),
    ),
)
TOOLS = (
    Known(
        _keys("maloja", "scrobbles"),
        _not_read("a Maloja export", "Maloja splits artists and cuts titles by rules of its own", ORIGINAL),
    ),
    Known(
        _keys("scrobbles", "time", "track", "artists", "title"),
        _not_read("a Maloja export", "Maloja splits artists and cuts titles by rules of its own", ORIGINAL),
    ),
    Known(
        _keys("version", "exported_at", "listens"),
        _not_read("a Koito export", "it has several names of one artist and does not say which was played", ORIGINAL),
    ),
    Known(
        _columns("title", "artist", "album", "timestamp"),
        _not_read("a list of lastfm-scraper", "its timestamps are made of times whose zone nothing says", BETTER_LASTFM),
    ),
    Known(
        _begins(r"#AUDIOSCROBBLER/"), _not_read("a .scrobbler.log", "its times may be local ones", "submit it to Last.fm first")
    ),
    Known(
        _columns("track name", "artist name(s)", "added at"), _not_read("an Exportify list", "it is a playlist, without plays")
    ),
    Known(
        _columns("track name", "artist name(s)", "track uri"), _not_read("an Exportify list", "it is a playlist, without plays")
    ),
    Known(
        _is_slashed_list,
        _not_read(
            "a list of scrobbles (Last.fm-Scrubbler and others)",
            "a date such as 03/04/2019 may be of March or April, and nothing says in which time zone it is",
            BETTER_LASTFM,
        ),
    ),
    Known(
        _rows(lambda row: len(row) >= 4 and bool(ISO_DAY.fullmatch(row[0])) and bool(TIME_OF_DAY.fullmatch(row[1]))),
        _not_read("a list of lastfm-backup-cli (day, time, artist, title)", NO_ZONE, BETTER_LASTFM),
    ),
    Known(
        _rows(lambda row: len(row) in (5, 6) and bool(ISO.fullmatch(row[3]))),
        _not_read("a list for Universal Scrobbler", NO_ZONE, BETTER_LASTFM),
    ),
    Known(
        _rows(lambda row: len(row) == 4 and bool(ISO.fullmatch(row[3]))),
        _not_read("a list of scrobbles without a header", f"its columns may be in another order, and {NO_ZONE}", BETTER_LASTFM),
    ),
    Known(
        _is_undated_list,
        _not_read("a list with artist, track and date", "its dates are in no form that is read", BETTER_LASTFM),
    ),
)
DATA_SETS = (
    Known(
        _keys("playlists", "pid", "tracks"), _not_read("Spotify's Million Playlist Dataset", "it has playlists, without plays")
    ),
    Known(
        _columns("session_id", "session_position", "track_id_clean"),
        _not_read("Spotify's Sequential Skip Prediction data set", "it has sessions of unnamed listeners without times"),
    ),
    Known(_columns("userid", "artistid", "weight"), _not_read("HetRec 2011 Last.fm", COUNTS)),
    Known(_lines(r"[0-9a-f]{40}\tSO[A-Z0-9]{16}\t\d+"), _not_read("the Taste Profile of the Million Song Dataset", COUNTS)),
    Known(_lines(r"[0-9a-f]{40}\t[^\t]*\t[^\t]*\t\d+"), _not_read("Last.fm-360K", COUNTS)),
    Known(_lines(r"user_\d+\t[mf]?\t\d*\t[^\t]*\t.*"), Explanation("the profiles of Last.fm-1K, without plays", "ignored")),
    Known(
        _columns("#id", "gender", "age", "country", "registered"),
        Explanation("the profiles of Last.fm-1K, without plays", "ignored"),
    ),
    Known(
        _lines(r"\d+\t\d+\t\d+\t\d+\t\d{9,10}"),
        _not_read("the listening events of LFM-1b", "tracks and artists are numbers whose names lie in other files"),
    ),
    Known(
        _lines(r"\d{9,10}\t[0-9a-f-]{0,110}\t[0-9a-f-]{0,36}\t[0-9a-f-]{0,36}"),
        _not_read("the Music Listening Histories Dataset", "it has MusicBrainz ids instead of names"),
    ),
)
LISTENBRAINZ = (
    Known(
        _lines(r'\{"user_id": ?\d+, ?"username": ?"[^"]*".*\}'),
        Explanation("ListenBrainz: account, feedback and pinned tracks, without plays", "ignored"),
    ),
    Known(
        lambda sample: object_keys_in(sample) >= {"recording_msid", "score"} or object_keys_in(sample) >= {"blurb_content"},
        Explanation("ListenBrainz: account, feedback and pinned tracks, without plays", "ignored"),
    ),
)
FEATURES = {"danceability", "energy", "valence"}
CATALOGUES = (
    Known(
        lambda sample: set(header_of(sample)) >= FEATURES,
        _not_read("a catalogue with audio features", "its columns are not those of a catalogue that is known here"),
    ),
)

EXPLAINERS: tuple[Explainer, ...] = (OddDislikes(), *LISTENBRAINZ, *SERVICES, *DATA_SETS, *TOOLS, *CATALOGUES)
