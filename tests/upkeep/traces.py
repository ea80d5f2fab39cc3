"""Looking for a text in everything below some folders: names of files, and contents however they are packed."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def traces(needle: str, *folders: Path) -> list[str]:
    """Where the text stands, in any case: files below the folders by name and content, Parquet row by row and in its footers."""
    found = []
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if needle in path.name.lower():
            found.append(f"{path}: its name")
        if path.is_file() and any(needle in text.lower() for text in _texts(path.name, path.read_bytes())):
            found.append(str(path))
    return found


def _texts(name: str, content: bytes) -> Iterator[str]:
    yield content.decode("utf-8", "replace")
    if content.startswith(b"PAR1"):
        yield from _of_parquet(content)
    elif content.startswith(b"\x1f\x8b"):
        yield from _texts(name, gzip.decompress(content))
    elif content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                yield info.filename
                yield from _texts(info.filename, archive.read(info))


def _of_parquet(content: bytes) -> Iterable[str]:
    file = pq.ParquetFile(pa.BufferReader(content))
    yield str(file.schema_arrow.metadata)
    for group in range(file.metadata.num_row_groups):
        for column in range(file.metadata.num_columns):
            yield str(file.metadata.row_group(group).column(column).statistics)
    for batch in file.iter_batches():
        yield from (str(column.to_pylist()) for column in batch.columns)
