"""Which spellings of a title are one recording, and which are another; who of a credit comes first."""

from __future__ import annotations

import time

import pytest

from music.recordings import is_placeholder, lead_artist, plain_title

ONE = [
    ("Runaway Horses - Abridged", "Runaway Horses (feat. Phoebe Bridgers) - Abridged"),
    ("Juke Jam", "Juke Jam [feat. Justin Bieber & Towkio]"),
    ("La Llevo Al Cielo", "La Llevo Al Cielo (Ft. Ñengo Flow)"),
    ("Rockabilly Rhythm", "Rockabilly Rhythm - Bonus Track"),
    ("Kesariya", 'Kesariya (From "Brahmastra")'),
    ("Kesariya", "Kesariya - From “Brahmastra”"),
    ("In Summer", 'In Summer - From "Frozen"/Soundtrack Version'),
    ("Hot Stuff", "Hot Stuff - Single Version"),
    ("Hot Stuff", "HOT STUFF (Album Version) "),
    ("Hot Stuff", "Hot Stuff - Radio Edit"),
    ("Hot Stuff", "Hot Stuff (Single Edit)"),
    ("Real One", "Real One feat. G Guest"),
    ("Real One - Live", "Real One feat. G Guest - Live"),
    ("Yesterday", "Yesterday - Remastered 2009"),
    ("Yesterday", "Yesterday (2015 Remaster)"),
    ("Yesterday", "Yesterday - 2004 Digital Remaster"),
    ("Yesterday", "Yesterday - Mono / 2009 Remastered Version"),
    ("Yesterday", "Yesterday - Single Version / Remastered"),
    ("Yesterday", "Yesterday (2022 - Remaster)"),
    ("Yesterday", "Yesterday - Remasterizado en 2001"),
    ("Gloria - Live", "Gloria - Live; 2004 Remaster"),
    ("Here Comes The Sun - 2019 Mix", "Here Comes The Sun - Remastered 2009"),
    ("People Are Strange", "People Are Strange - New Stereo Mix"),
    ("She's A Rainbow", "She's A Rainbow - Full Version"),
    ("Good Luck - PS1 Remix", "Good Luck (feat. Pia Mia) - PS1 Remix"),
]
APART = [
    "- Live",
    "- Live; 2004 Remaster",
    "- Remix",
    "(Acoustic)",
    "- Instrumental",
    "- Mix",
    "- 12 Inch Mix",
    "- Dave's Edit",
    "(Cover)",
    "(Taylor's Version)",
]


@pytest.mark.parametrize("pair", ONE, ids=lambda pair: pair[1])
def test_ways_of_release_features_and_films_are_no_other_recording(pair: tuple[str, str]) -> None:
    assert plain_title(pair[0]) == plain_title(pair[1])


@pytest.mark.parametrize("mark", APART)
def test_another_performance_is_another_recording(mark: str) -> None:
    assert plain_title(f"Yesterday {mark}") != plain_title("Yesterday")


def test_a_title_that_is_only_a_mark_stays() -> None:
    assert [plain_title(title) for title in ("Explicit", "(Remastered)", "Mono", "(feat. Someone)", "  ")] == [
        "explicit",
        "(remastered)",
        "mono",
        "(feat someone)",
        None,
    ]


@pytest.mark.parametrize(
    ("credit", "first"),
    [
        ("Lady A, Queen B", "lady a"),
        ("Lady A & Queen B", "lady a"),
        ("Lady A feat. Queen B", "lady a"),
        ("Lady A (feat. Queen B)", "lady a"),
        ("Lady A;Queen B", "lady a"),
        ("AC/DC", "ac/dc"),
        ("Malcolm X", "malcolm x"),
        (", ", ","),
        ("&", "&"),
    ],
)
def test_the_artist_who_is_credited_first(credit: str, first: str | None) -> None:
    assert lead_artist(credit) == first


def test_placeholders_are_no_names() -> None:
    assert all(
        map(is_placeholder, ("unknown artist", "unknown", "<unknown>", "[unknown]", "track 7", "audio track 12", "none", "n/a"))
    )
    assert not any(map(is_placeholder, ("unknown pleasures", "track 7 live", "nonesuch", "various positions", "7")))


def test_a_long_title_does_not_hold_up() -> None:
    began = time.perf_counter()
    for text in ("a" * 100_000, "- Remastered " * 10_000, "(feat. " * 10_000, " - 2009 mono stereo " * 30):
        plain_title(text)
        lead_artist(text)
    assert time.perf_counter() - began < 5, "patterns backtrack"
