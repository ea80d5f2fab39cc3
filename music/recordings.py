"""One recording under several names: what a title says of a release, and who of a credit comes first."""

from __future__ import annotations

import re
from functools import reduce

from music.names import fold

# "Runaway Horses (feat. Phoebe Bridgers) - Abridged" is "Runaway Horses - Abridged"; "Real One feat. G Guest" is "Real One".
_FEATURED = r"\s*[(\[](?:feat|ft|featuring)[. ][^)\]]*[)\]]|\s+-?\s*(?:(?:feat|ft)\.|featuring)\s(?:(?!\s-\s).)*"
# "Kesariya (From "Brahmastra")", "Let It Go - From "Frozen"/Soundtrack Version".
_FILM = r'from ["“][^"”]*["”](?:[ /,]*(?:original )?(?:motion picture )?soundtrack(?: version)?)?'
_FROM_FILM = rf"\s*[(\[]{_FILM}[)\]]|\s+-\s+{_FILM}$"
# "Yesterday - Remastered 2009", "Help! (2015 Remaster)", "Gloria - Live; 2004 Digital Remaster", "Hey Joe - Mono / Remastered".
# Repeats are bounded: a title made to backtrack must not hold up an engine.
_WITH = (
    r"(?:\d{4}|\d\d[- ]bit|digital(?:ly)?|newly|e[nm]|versi[oó]n|versão|edition"
    r"|rudy van gelder|mono|stereo|single|album|original|bonus)"
)
_REMASTER = rf"(?:{_WITH}[\s/-]+){{0,4}}re-?master(?:ed|i[sz](?:ad[oa]|[eé]))?(?:[\s/(-]+{_WITH}){{0,4}}"
_RELEASE = (
    r"bonus(?: track)?|(?:single|album|lp|mono|stereo|full|radio|explicit|clean|video) version|(?:original )?(?:mono|stereo)"
    r"|(?:(?:single|album|radio|video|original|short|explicit|clean) )?edit|explicit|clean"
    r"|\d{4}(?: (?:mono|stereo))? mix|(?:new )?(?:mono|stereo) mix"
)
_RELEASED = rf"(?:(?:\s+-\s+|\s*[(\[/;,]\s*)(?:{_REMASTER}|{_RELEASE})\s*[)\]]?){{1,4}}\s*$"
_MARKS = tuple(re.compile(mark, re.IGNORECASE) for mark in (_FEATURED, _FROM_FILM, _RELEASED))
# Who is credited after the first: "Lady A, Queen B", "Lady A & Queen B", "Lady A feat. Queen B".
_FURTHER = re.compile(r"\s*(?:,|;|&|\+| / | x | vs\.? | with | and |[(\[]?(?:feat|ft)\.|[(\[]?featuring )\s*", re.IGNORECASE)
# What players write where they know no name.
_NOTHING = re.compile(
    r"<?\[?(?:unknown(?: (?:artist|track|title|album))?|none|null|nan|n/a|untitled|no (?:artist|title)|various(?: artists)?)\]?>?"
)
_NUMBERED = re.compile(r"<?\[?(?:audio )?track ?\d{1,3}\]?>?")
# What every mark and every further credit has, sought for first: a class of characters in front makes it many times faster.
_HAS_MARK = re.compile(r"[\s(\[/;,](?:(?<=[(\[/;,])|-|f(?:ea)?t)", re.IGNORECASE)
_HAS_FURTHER = re.compile(r"[,;&+ f](?:(?<=[,;&+])|(?:/|x|vs\.?|with|and) |(?:ea)?t(?:uring|\.))", re.IGNORECASE)
# The longest title that is looked at for marks; no real one is near it.
_LONGEST = 500


def plain_title(title: str) -> str | None:
    """The folded title without what does not make another recording (`without_marks`); None where only blanks are left."""
    return fold(without_marks(title)) or fold(title)


def without_marks(title: str) -> str:
    """The title without what does not make another recording, not folded; the same object where it has no such mark.

    Left out: who is featured, the film it comes from, and how it was released (remasters; single, album, radio, full, mono and
    stereo versions and edits; mixes of a year; bonus tracks). Live, remix, acoustic, instrumental, cover and other mixes stay:
    other recordings.
    """
    if len(title) > _LONGEST or not _HAS_MARK.search(title):
        return title
    return reduce(lambda left, mark: mark.sub("", left), _MARKS, " ".join(title.split()))


def folded_name(name: str) -> str | None:
    """The name as keys are made of it (`silver.names.folded`); None where nothing is left but blanks."""
    return own_form(name, fold(name) or "") or None


def own_form(name: str, folded: str) -> str:
    """The folded name; one that says nothing is a name of its own in every spelling."""
    # Who wrote NaN and who wrote nan did not mean the same artist.
    return name.strip() if says_nothing(folded) else folded


def lead_artist(artist: str) -> str | None:
    """The folded name of who is credited first; None where nothing is left but blanks."""
    return fold(first_credit(artist)) or fold(artist)


def first_credit(artist: str) -> str:
    """Who is credited first, not folded; the same object where the credit names one artist."""
    if len(artist) > _LONGEST or not _HAS_FURTHER.search(artist):
        return artist
    return _FURTHER.split(artist, maxsplit=1)[0]


def is_placeholder(folded: str) -> bool:
    """Whether a folded name stands for a name that nobody knew: `unknown artist`, `track 7`, `none`."""
    return says_nothing(folded) or _NUMBERED.fullmatch(folded) is not None


def says_nothing(folded: str) -> bool:
    """Whether a folded name is what players and tools write for a missing name, which may yet be somebody's: `none`, `nan`."""
    return _NOTHING.fullmatch(folded) is not None
