"""Who played what how often: a sparse matrix of users and items, its filters and its splits into known and held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.dataset
import scipy

Matrix = Any
"""A scipy.sparse.csr_matrix, users x items."""
FORMATS = ("hetrec", "triplets", "listens")
PLAY = ("user_id", "track_id", "played_at")
LISTEN = ("is_listen", "is_skip", "artist_key")
TIMES = (pyarrow.types.is_timestamp, pyarrow.types.is_date, pyarrow.types.is_string, pyarrow.types.is_large_string)


@dataclass(frozen=True)
class Interactions:
    """Plays per user and item: row u of `matrix` is user `users[u]`, column i item `items[i]`; both sorted by id.

    Where they are known (users x items): `recent`, the plays that count towards recent popularity; `played`, all plays, those
    too short or skipped to count in `matrix` too; `returning`, the sum of `activation` over these. `artists`: items x artists.
    """

    users: np.ndarray
    items: np.ndarray
    matrix: Matrix
    recent: Matrix | None = None
    played: Matrix | None = None
    returning: Matrix | None = None
    artists: Matrix | None = None

    @property
    def seen(self) -> Matrix:
        """Users x items, 1 where there is a play."""
        return ones(self.matrix)

    @property
    def heard(self) -> Matrix:
        """Users x items, all plays where they are known, else those that count."""
        return self.matrix if self.played is None else self.played


def ones(matrix: Matrix) -> Matrix:
    """1 where the matrix has a value."""
    result = matrix.copy()
    result.data = np.ones_like(result.data)
    return result


def from_pairs(
    pairs: pd.DataFrame, users: Sequence[Any] | np.ndarray | None = None, items: Sequence[Any] | np.ndarray | None = None
) -> Interactions:
    """The matrix of rows (user, item, plays), equal pairs summed; `users` and `items` fix who and what is in it."""
    known_users = np.unique(pairs["user"].to_numpy()) if users is None else np.unique(np.asarray(users))
    known_items = np.unique(pairs["item"].to_numpy()) if items is None else np.unique(np.asarray(items))
    return Interactions(known_users, known_items, matrix_of(pairs, known_users, known_items))


def matrix_of(pairs: pd.DataFrame, users: np.ndarray, items: np.ndarray, column: str = "plays") -> Matrix:
    """`column` summed by user and item, as a sparse matrix; rows of other users or items are left out."""
    row, column_number = pd.Index(users).get_indexer(pairs["user"]), pd.Index(items).get_indexer(pairs["item"])
    inside = (row >= 0) & (column_number >= 0)
    values = pairs[column].to_numpy(dtype=np.float64)[inside]
    shape = (len(users), len(items))
    return scipy.sparse.coo_matrix((values, (row[inside], column_number[inside])), shape=shape).tocsr()


def read_pairs(path: Path, file_format: str) -> pd.DataFrame:
    """Rows (user, item, plays) of a file, and (at), a UTC instant, where it has times. Raises ValueError for another file.

    `hetrec`: tab-separated with a header userID, artistID, weight. `triplets`: user, item, plays without a header.
    `listens`: CSV or Parquet with a header user_id, track_id, played_at, one row per play; where it also has LISTEN, as an export
    of silver.listening_with_features has, skipped and short plays are rows of 0 plays, and there is a column `artist`.
    """
    if file_format not in FORMATS:
        raise ValueError(f"{file_format!r} is not one of {', '.join(FORMATS)}")
    try:
        pairs = _listens(path) if file_format == "listens" else _triplets(path, has_header=file_format == "hetrec")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} does not look like {file_format}: {str(error).splitlines()[0]}") from error
    return pairs


def _triplets(path: Path, *, has_header: bool) -> pd.DataFrame:
    pairs = pd.read_csv(path, sep="\t", header=0 if has_header else None).iloc[:, :3]
    if len(pairs.columns) < 3:
        raise ValueError("it has no three columns, separated by tabs")
    pairs.columns = ["user", "item", "plays"]
    if not pd.api.types.is_numeric_dtype(pairs["plays"]) or pairs.isna().any().any():
        raise ValueError("its third column is not a number of plays everywhere")
    played: pd.DataFrame = pairs[pairs["plays"] > 0].reset_index(drop=True)
    return played


def _listens(path: Path) -> pd.DataFrame:
    dataset = pyarrow.dataset.dataset(path, format="parquet" if path.suffix != ".csv" else "csv")
    names = set(dataset.schema.names)
    if missing := set(PLAY) - names:
        raise ValueError(f"it has no column {min(missing)}; listens are rows of {', '.join(PLAY)}")
    told = [name for name in LISTEN if name in names]
    if told and (missing := set(LISTEN) - names):
        raise ValueError(f"it has {told[0]} and no {min(missing)}: of {', '.join(LISTEN)} all or none")
    plays = dataset.to_table(columns=[*PLAY, *told])
    kinds = {name: plays.schema.field(name).type for name in plays.schema.names}
    if not any(is_it(kinds["played_at"]) for is_it in TIMES):
        raise ValueError(f"played_at is {kinds['played_at']}, and no time")
    if wrong := [name for name in told[:2] if kinds[name] != pyarrow.bool_()]:
        raise ValueError(f"{wrong[0]} is {kinds[wrong[0]]}, and not true or false")
    if told and pyarrow.types.is_nested(kinds["artist_key"]):
        raise ValueError(f"artist_key is {kinds['artist_key']}, and no name")
    if empty := [name for name in (*PLAY, *told[:2]) if plays[name].null_count]:
        raise ValueError(f"{empty[0]} is not told everywhere")
    ids = {name: plays[column].to_pandas().astype(str) for name, column in (("user", "user_id"), ("item", "track_id"))}
    pairs: pd.DataFrame = pd.DataFrame({**ids, "plays": 1.0, "at": pd.to_datetime(plays["played_at"].to_pandas(), utc=True)})
    if told:
        listened, skipped = (plays[name].to_numpy() for name in told[:2])
        pairs["plays"] = (listened & ~skipped).astype(float)
        pairs["artist"] = plays["artist_key"].cast(pyarrow.string()).to_pandas()
    return pairs


def filtered(pairs: pd.DataFrame, users_per_item: int, items_per_user: int) -> pd.DataFrame:
    """Pairs of items with enough users and, of those, users with enough items: one pass each, in that order.

    Plays that do not count (0) make neither enough, and stay where the others do.
    """
    distinct = pairs[pairs["plays"] > 0].drop_duplicates(["user", "item"])
    by_item = distinct.groupby("item")["user"].size()
    distinct = distinct[distinct["item"].isin(by_item.index[by_item >= users_per_item])]
    by_user = distinct.groupby("user")["item"].size()
    kept = pairs["item"].isin(by_item.index[by_item >= users_per_item]) & pairs["user"].isin(
        by_user.index[by_user >= items_per_user]
    )
    enough: pd.DataFrame = pairs[kept].reset_index(drop=True)
    return enough


def random_split(data: Interactions, share: float, seed: int) -> tuple[Interactions, Matrix]:
    """Hold out round(share x items) of each user's items at random, at least one: what is known, and what is held out.

    A user with one item keeps it. The draws are NumPy's default generator's, users in order of their ids, as in the protocol
    whose figures we compare with.
    """
    matrix = data.matrix
    is_held = np.zeros(matrix.nnz, dtype=bool)
    rng = np.random.default_rng(seed)
    for first, last in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        count = last - first
        if count > 1:
            is_held[first + rng.choice(count, max(1, round(share * count)), replace=False)] = True
    return Interactions(data.users, data.items, _where(matrix, ~is_held)), _where(matrix, is_held)


def _where(matrix: Matrix, chosen: np.ndarray) -> Matrix:
    part = matrix.copy()
    part.data = np.where(chosen, matrix.data, 0.0)
    part.eliminate_zeros()
    return part
