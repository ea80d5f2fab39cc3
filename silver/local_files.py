"""Names of files of the listener's own, which Spotify's URI of them holds: spotify:local:ARTIST:ALBUM:TITLE:SECONDS."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Its parts are written as in a web address.
LOCAL_FILE = r"^spotify:local:([^:]*):([^:]*):([^:]*):\d*$"
LOCAL_PARTS = {"artist_name": 1, "album_name": 2, "track_name": 3}


def local_file_part(uri: Column, part: int) -> Column:
    """Artist (1), album (2) or title (3) that the URI of a local file names; null where it names none, and for any other URI."""
    written = F.nullif(F.regexp_extract(uri, LOCAL_FILE, part), F.lit(""))
    decoded = F.try_url_decode(written)
    # Java puts U+FFFD for what is not UTF-8, other engines give null: then the text stays as it is written.
    return F.when(decoded.contains("\ufffd"), written).otherwise(F.coalesce(decoded, written))


def with_names_of_local_files(history: DataFrame) -> DataFrame:
    """The rows, with the names out of the URI of a local file where a row has neither artist nor title of its own."""
    is_nameless = F.coalesce(*[F.nullif(F.trim(name), F.lit("")) for name in ("track_name", "artist_name")]).isNull()
    uri = F.trim("track_uri")
    is_local = is_nameless & uri.rlike(LOCAL_FILE)
    names = {name: F.when(is_local, local_file_part(uri, part)).otherwise(F.col(name)) for name, part in LOCAL_PARTS.items()}
    return history.withColumns(names)
