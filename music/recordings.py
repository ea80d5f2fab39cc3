"""One recording under several ids: how they are recognised as one."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from music.names import name_key

# "Runaway Horses (feat. Phoebe Bridgers) - Abridged" is "Runaway Horses - Abridged".
FEATURED = r"(?i)\s*[(\[](?:feat|ft|featuring)[. ][^)\]]*[)\]]"
# "Kesariya (From "Brahmastra")", "Let It Go - From "Frozen"/Soundtrack Version".
_FILM = r'from ["“][^"”]*["”](?:[ /,]*(?:original )?(?:motion picture )?soundtrack(?: version)?)?'
FROM_FILM = rf"(?i)\s*[(\[]{_FILM}[)\]]|\s+-\s+{_FILM}$"
# "Yesterday - Remastered 2009", "Help! (2015 Remaster)", "Gloria - Live; 2004 Digital Remaster", "Hey Joe - Mono / Remastered".
# Repeats are bounded: a title made to backtrack must not hold up an engine.
_WITH = (
    r"(?:\d{4}|\d\d[- ]bit|digital(?:ly)?|newly|e[nm]|versi[oó]n|versão|edition"
    r"|rudy van gelder|mono|stereo|single|album|original|bonus)"
)
_REMASTER = rf"(?:{_WITH}[\s/-]+){{0,4}}re-?master(?:ed|i[sz](?:ad[oa]|[eé]))?(?:[\s/(-]+{_WITH}){{0,4}}"
_RELEASE = (
    r"bonus(?: track)?|(?:single|album|lp|mono|stereo|full) version|(?:original )?(?:mono|stereo)"
    r"|\d{4}(?: (?:mono|stereo))? mix|(?:new )?(?:mono|stereo) mix"
)
RELEASED = rf"(?i)(?:(?:\s+-\s+|\s*[(\[/;,]\s*)(?:{_REMASTER}|{_RELEASE})\s*[)\]]?){{1,4}}\s*$"
MARKS = (FEATURED, FROM_FILM, RELEASED)


def recording(artist: Column, title: Column, track_id: Column) -> Column:
    """Hash of case-folded primary artist and title, the same for every id of one recording; the id where a name is missing.

    Left out of titles: who is featured, the film it comes from, and how it was released (remasters, single, album, full, mono
    and stereo versions, mixes of a year, bonus tracks). Live, remix, acoustic, instrumental, other mixes and edits stay: other
    recordings, or other cuts.
    """
    plain = reduce(lambda left, mark: F.regexp_replace(left, mark, ""), MARKS, title)
    return F.coalesce(name_key(artist, plain), track_id)
