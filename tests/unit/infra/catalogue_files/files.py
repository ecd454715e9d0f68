"""Small catalogue files for the tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from infra.catalogue_files.catalogue import Catalogue, open_catalogue
from infra.catalogue_files.rows import CatalogueRow
from pipeline.domain.listing import Content


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def opened(folder: Path, name: str, content: str | bytes, columns: dict[str, str] | None = None) -> Catalogue:
    return open_catalogue(written(folder, name, content), columns=columns)


def hex_id(number: int) -> str:
    return hashlib.md5(str(number).encode()).hexdigest()


def content_of(row: CatalogueRow) -> Content:
    """The content of a row that has some."""
    assert row.content is not None
    return row.content


def problems_of(rows: Iterable[CatalogueRow]) -> list[str | None]:
    """The problem of each row, in English."""
    return [None if row.problem is None else str(row.problem) for row in rows]
