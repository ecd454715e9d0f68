"""Imports as they are answered: how far they are, what they brought, and in what they differ from the one before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.domain.product_databases import DATABASES


class LicenceShown(BaseModel):
    """The terms of a database's products; the ``attribution`` is to be shown beside them."""

    name: str
    url: str
    attribution: str


class ImportShown(BaseModel):
    """An import. ``database``, ``query``, ``complete`` and ``licence`` are null for a file."""

    id: int
    source: str
    origin: str
    status: str
    database: str | None
    query: dict[str, Any] | None = Field(description="kind, value and limit of what the database was asked")
    collection: int | None = Field(description="the standing collection that it belongs to")
    complete: bool | None = Field(description="whether it met all there is")
    total: int | None = Field(description="how many rows there are, where that is known")
    row: int = Field(description="how many rows have a verdict")
    share: float | None = Field(description="how far it is, from 0 to 1; null where that cannot be told")
    new: int
    changed: int
    unchanged: int
    rejected: int
    without_photo: int
    vanished: int | None = Field(description="products that the last complete run had; null where unknown")
    came_back: int | None
    doing: str | None = Field(description="what a running one does, or waits for")
    note: str | None
    started_at: datetime
    ended_at: datetime | None
    licence: LicenceShown | None


class ImportPage(BaseModel):
    """A page of imports; ``next`` is the cursor of the following one, null at the end."""

    items: list[ImportShown]
    next: str | None


class ImportWithRows(ImportShown):
    """An import with a page of its rows' verdicts."""

    rows: list[dict[str, Any]]
    next: str | None


class DiffShown(BaseModel):
    """What an import changed. ``why_not`` says why ``came_back`` and ``vanished`` are not known, null when they are."""

    model_config = ConfigDict(populate_by_name=True)

    import_id: int = Field(alias="import")
    compared_with: int | None = Field(description="the complete run of the same query before it")
    counts: dict[str, int | None]
    why_not: str | None
    kind: str | None
    items: list[dict[str, Any]]
    next: str | None


class VanishedAsked(BaseModel):
    """How sure one is that what vanished is to be withdrawn."""

    model_config = ConfigDict(extra="forbid")

    even_most: bool = Field(False, description="even when more than half of the products are gone")


class WithdrawalShown(BaseModel):
    """How many listings were withdrawn, and how many are kept since something else has a word for them."""

    withdrawn: int
    kept: int


def licence_shown(database: str | None) -> dict[str, str] | None:
    """The terms of a database's products; None without a database that is known."""
    known = DATABASES.get(database or "")
    if known is None:
        return None
    return {"name": known.licence.name, "url": known.licence.url, "attribution": known.licence.attribution}


def provenance_shown(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Where a listing comes from, with the database's title and the terms of its products; None for one not collected.

    ``address`` is None unless it can be followed.
    """
    if found is None:
        return None
    known = DATABASES.get(found["database"])
    followed = found["address"] if found["address"].startswith(("https://", "http://")) else None
    title = known.title if known else found["database"]
    return {**found, "title": title, "address": followed, "licence": licence_shown(found["database"])}


def shown(found: Mapping[str, Any]) -> dict[str, Any]:
    """An import of the record with the terms of its products."""
    return {**found, "licence": licence_shown(found["database"])}
