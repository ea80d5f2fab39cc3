"""The lines of corrections.csv in force: whose they are, what they mean, and why a line cannot be used."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from music.corrections import ACTIONS, ALBUM, ARTIST, KINDS, MERGE, MOVE, PLAY, RECORDING, REMEDIES, RENAME, SEPARATOR, SPLIT
from music.listening import MOST_CREDITS
from music.names import hashed, shown, with_folded
from silver.files_in_force import in_force
from silver.parsing import parse_scrobble_timestamp

# Digits of a line number in the order of lines.
PLACES = 12
FORMS = {
    "from_artist": {"artist": "folded"},
    "from_title": {"title": "plain_title"},
    "from_album": {"album": "folded"},
}


@table(
    "silver.correction_lines",
    key=["owner", "file_name", "row_number"],
    scope="entity",
    schema=[
        column("owner", "string", "listener whose plays the line corrects; _everyone for all"),
        column("file_name", "string", "path in the landing folder; the last known path if the file is gone"),
        column("row_number", "bigint", "position of the line in its file, from 1, header and empty lines left out"),
        column("line", "bigint", "line of the file, the header being the first", nullable=False),
        column("place", "string", "order in which the lines of an owner are tried, as text", nullable=False),
        column("problem", "string", "why the line cannot be used; null for lines in use", one_of=tuple(REMEDIES)),
        column("action", "string", "merge, rename, split, move or exclude; as the file has it where that is unknown"),
        column("kind", "string", "artist, album, recording or play; as the file has it where that is unknown"),
        column("match_key", "string", "hash of what a play must agree in; null for lines that cannot be used"),
        column("artist", "string", "folded artist that a play must have; null for any"),
        column("title", "string", "folded plain title that a play must have; null for any"),
        column("album", "string", "folded album that a play must have; null for any"),
        column("not_before", "timestamp", "earliest start of the plays, UTC; null for any"),
        column("before", "timestamp", "end of the plays' period, UTC, itself left out; null for any"),
        column("to_artist", "string", "right artist, the first one for split"),
        column("further_artists", "array<string>", "right artists after the first, for split", nullable=False),
        column("to_title", "string", "right title"),
        column("to_album", "string", "right album"),
        column("to_played_at", "timestamp", "right start of the play, UTC, for move"),
    ],
    rules=[satisfies("every line can be used", ["problem"], lambda: F.col("problem").isNull(), "WARN")],
)
def correction_lines(corrections: DataFrame, ingestion_state: DataFrame, names: DataFrame) -> DataFrame:
    """One row per line of a corrections file in force. The first line that fits a play is the one that counts."""
    files = in_force(ingestion_state, "corrections").withColumnRenamed("user_id", "owner")
    texts = ["action", "kind", "from_artist", "from_title", "from_album", "to_artist", "to_title", "to_album"]
    # Null in rows of a file that an older version read.
    line = F.coalesce("line", F.col("row_number") + 1).alias("line")
    lines = corrections.select(
        "file_hash", "row_number", line, "surplus", *[shown(F.col(name)).alias(name) for name in (*texts, *_TIMES)]
    )
    folded = with_folded(lines.join(F.broadcast(files), on="file_hash", how="inner"), names, FORMS)
    # Of an empty cell the whole list is one empty name.
    artists = F.filter(F.transform(F.split("to_artist", SEPARATOR), shown), lambda name: name.isNotNull())
    is_split = F.lower("action") == SPLIT
    read = folded.withColumns(
        {
            "action": F.lower("action"),
            "kind": F.lower("kind"),
            "artists": F.when(is_split, artists).otherwise(F.array("to_artist")),
            **{f"{name}_time": parse_scrobble_timestamp(F.col(name)) for name in _TIMES},
        }
    )
    judged = read.withColumn("problem", _problem())
    is_move, is_used = F.col("action") == MOVE, F.col("problem").isNull()
    is_one_play = (F.col("kind") == PLAY) & (is_move | F.col("until").isNull())
    second = F.date_trunc("second", F.col("played_at_time"))
    next_second = F.timestamp_micros(F.unix_micros(second) + 1_000_000)
    return judged.select(
        *["owner", "file_name", "row_number", "line"],
        F.concat_ws(" ", "file_name", F.lpad(F.col("row_number").cast("string"), PLACES, "0")).alias("place"),
        *["problem", "action", "kind"],
        F.when(is_used, _match_key(is_one_play)).alias("match_key"),
        *["artist", "title", "album"],
        F.when(is_one_play, second).otherwise(F.col("played_at_time")).alias("not_before"),
        F.when(is_one_play, next_second).otherwise(F.col("until_time")).alias("before"),
        F.get("artists", F.lit(0)).alias("to_artist"),
        F.slice("artists", 2, MOST_CREDITS - 1).alias("further_artists"),
        *["to_title", "to_album"],
        F.when(is_move, F.col("until_time")).alias("to_played_at"),
    )


_TIMES = ("played_at", "until")


def match_key(kind: str, *parts: Column) -> Column:
    """Hash of what a play agrees in with lines of a kind: artist, artist and album, artist and title, or nothing (`any`)."""
    return hashed(F.lit(kind), *parts)


def _match_key(is_one_play: Column) -> Column:
    kind = F.col("kind")
    second = F.floor(F.unix_micros("played_at_time") / F.lit(1_000_000)).cast("bigint")
    return (
        F.when(kind == ARTIST, match_key(ARTIST, F.col("artist")))
        .when(kind == ALBUM, match_key(ALBUM, F.col("artist"), F.col("album")))
        .when(kind == RECORDING, match_key(RECORDING, F.col("artist"), F.col("title")))
        .when(is_one_play, match_key(PLAY, second))
        .otherwise(match_key("any"))
    )


def _problem() -> Column:
    """Why a line cannot be used; null for a line that can."""
    action, kind = F.col("action"), F.col("kind")
    artist, title, album = (F.col(name).isNotNull() for name in ("artist", "title", "album"))
    is_renaming = action.isin(MERGE, RENAME)
    suits = (
        F.when(is_renaming, kind.isin(ARTIST, ALBUM, RECORDING))
        .when(action == SPLIT, kind == ARTIST)
        .when(action == MOVE, kind == PLAY)
        .otherwise(F.lit(True))
    )
    has_from = (
        F.when(kind == ARTIST, artist)
        .when(kind == ALBUM, artist & album)
        .when(kind == RECORDING, artist & title)
        .otherwise(F.lit(True))
    )
    to_artist, to_title, to_album = (F.col(name).isNotNull() for name in ("to_artist", "to_title", "to_album"))
    has_to = (
        F.when(kind == ARTIST, to_artist).when(kind == ALBUM, to_artist | to_album).otherwise(to_artist | to_title | to_album)
    )
    is_odd_time = [F.col(name).isNotNull() & F.col(f"{name}_time").isNull() for name in _TIMES]
    lacks_time = ((kind == PLAY) & F.col("played_at").isNull()) | ((action == MOVE) & F.col("until").isNull())
    return (
        F.when(F.col("surplus").isNotNull(), "surplus_cells")
        .when(~F.coalesce(action.isin(*ACTIONS), F.lit(False)), "unknown_action")
        .when(~F.coalesce(kind.isin(*KINDS), F.lit(False)), "unknown_kind")
        .when(~suits, "unsuited_kind")
        .when(~has_from, "lacks_from")
        .when((action == SPLIT) & (F.coalesce(F.size("artists"), F.lit(0)) < 2), "lacks_artists")
        .when(is_renaming & ~has_to, "lacks_to")
        .when(is_odd_time[0] | is_odd_time[1], "unreadable_time")
        .when(lacks_time, "lacks_time")
        .when((action != MOVE) & (F.col("until_time") <= F.col("played_at_time")), "empty_period")
    )
