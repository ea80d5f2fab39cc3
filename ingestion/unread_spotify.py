"""Files of a Spotify export that hold no plays, and histories of Spotify's in a form that is not its own."""

from __future__ import annotations

import json
import re

from ingestion.csv_rows import header_of
from ingestion.json_list import object_keys_in
from ingestion.spotify_account_data import NAMES as ACCOUNT_NAMES
from ingestion.spotify_extended import DISTINCTIVE
from lakehouse.declare import Explainer, Explanation, Sample

# The account data and the technical log information; a name says nothing where a source recognises the content.
OTHER_NAMES = (
    *("playlist", "yourlibrary", "searchqueries", "userdata", "useraddress", "userprompts", "identity", "identifiers"),
    *("inferences", "follow", "payments", "familyplan", "duonewfamily", "marquee", "wrapped", "yoursoundcapsule"),
    *("messagedata", "notifications", "banhistory", "voiceinput", "carthing", "podcastinteractivityratedshow", "purchases"),
    *("streaminghistory_audiobook", "partnerdata", "voucher"),
)
OTHER_FILE = re.compile(rf"(?:{'|'.join(OTHER_NAMES)})_?\d*\.json|read_?me.*\.(?:pdf|html)")
# Whatever lies in a folder of the export.
OTHER_FOLDERS = ("technical log information", "spotify technical log information")
# By content, for files that were renamed: all of these keys.
OTHER_KEYS = (
    {"searchTime", "searchQuery"},
    {"playlists", "lastModifiedDate"},
    {"tracks", "albums", "shows", "episodes", "bannedTracks"},
    {"tracks", "albums", "artists", "bannedTracks"},
    {"username", "creationTime", "birthdate"},
    {"userIsFollowing", "userIsFollowedBy"},
    {"inferences"},
)
OTHER = Explanation("other files of a Spotify export, without plays", "ignored")
EMPTY_LIST = Explanation("it holds an empty list, so no plays; remove it, or download the export again if there should be some")
ACCOUNT_KEYS = {ACCOUNT_NAMES[name] for name in ("ts", "ms_played")}


class OtherFiles:
    """Playlists, library, search queries, user data: known by Spotify's names of them, or by their keys."""

    def explain(self, sample: Sample) -> Explanation | None:
        path = re.split("[/!]", sample.name.lower())
        is_named = OTHER_FILE.fullmatch(path[-1]) is not None
        keys = object_keys_in(sample)
        if _is_history(keys):
            return None
        if is_named or any(folder in OTHER_FOLDERS for folder in path[:-1]) or any(known <= keys for known in OTHER_KEYS):
            return OTHER
        return None


class OddHistories:
    """Spotify's fields in an object, a line each, or a table without the columns that a play needs."""

    def explain(self, sample: Sample) -> Explanation | None:
        text = sample.text.removeprefix("\ufeff").strip()
        if re.fullmatch(r"\[\s*\]", text):
            return EMPTY_LIST
        if _is_history(object_keys_in(sample)):
            return Explanation(f"a Spotify history, but {_form(text)}: put in the files as Spotify made them", "broken")
        names = set(header_of(sample))
        if names & DISTINCTIVE or "msplayed" in names:
            return Explanation(
                "a table of Spotify tracks without their time and ms played, so without plays: convert all columns"
            )
        return None


def _is_history(keys: set[str]) -> bool:
    return bool(keys & DISTINCTIVE and keys & {"ts", "ms_played"}) or keys >= ACCOUNT_KEYS


def _form(text: str) -> str:
    first = text.partition("\n")[0].strip()
    try:
        is_line = isinstance(json.loads(first), dict) and first != text
    except (ValueError, RecursionError):
        is_line = False
    return "one object a line instead of a list" if is_line else "its list of plays lies within something else"


EXPLAINERS: tuple[Explainer, ...] = (OtherFiles(), OddHistories())
