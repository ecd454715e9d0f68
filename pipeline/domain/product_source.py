"""Product sources: queries to a product database, and the pages of products it returns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pipeline.domain.errors import InvalidInput, PermanentFailure, TransientFailure
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Content
from pipeline.domain.reason import Reason

# A position among the products of a query, which only the source interprets; stored as JSON.
SourceCursor = Mapping[str, Any]


class QueryKind(StrEnum):
    """Kinds of queries. ``export`` is the whole published file, ``changes`` the files of recent changes."""

    CATEGORY = "category"
    TEXT = "text"
    BARCODES = "barcodes"
    EXPORT = "export"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class ProductQuery:
    """A query to a source.

    ``value`` is the name of the category, the words, the barcodes with commas between them, or the path or address of
    an export (empty: the one that the source publishes). ``limit`` is the most products, None for all.
    """

    kind: QueryKind
    value: str = ""
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.kind in {QueryKind.CATEGORY, QueryKind.TEXT, QueryKind.BARCODES} and not self.value.strip():
            raise InvalidInput(f"a query by {self.kind} needs a value")
        if self.limit is not None and self.limit < 1:
            raise InvalidInput("a limit is 1 or more")

    def as_json(self) -> JsonObject:
        """The query as it is stored; ``of_json`` reads it back."""
        return {"kind": self.kind.value, "value": self.value, "limit": self.limit}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> ProductQuery:
        """The query that ``as_json`` wrote."""
        return cls(QueryKind(stored["kind"]), stored.get("value", ""), stored.get("limit"))

    def fingerprint(self, source: str) -> str:
        """SHA-256 (hex) of the query to this source; imports of the same fingerprint continue each other."""
        parts = json.dumps([source, self.kind.value, " ".join(self.value.split()), self.limit])
        return hashlib.sha256(parts.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Licence:
    """The terms of a source's products, and the attribution to show beside them."""

    name: str
    url: str
    attribution: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of a product: its page at the source, its categories there, and when it was last changed there.

    ``categories`` are the source's identifiers, from the general to the specific. The licence is the source's.
    """

    source: str
    address: str
    categories: tuple[str, ...] = ()
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SourceProduct:
    """One product of a source: normalised content, or the ``problem`` why it has none.

    ``code`` is the external id (a barcode where the source has them), None when it is unknown. ``notes`` list
    corrections and omissions. ``content.seller_category`` is always None: rules map the categories of a source to
    those of the taxonomy.
    """

    code: str | None
    content: Content | None
    provenance: Provenance | None
    problem: Reason | None = None
    notes: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class ProductPage:
    """The next products of a query; ``following`` is the cursor of the page after, None when this was the last.

    ``total`` is the number of products as the source counts them, None when it does not. ``share`` (0 to 1) is the
    progress after this page where it is known by other means (bytes of an export), else None. ``next_time`` is the
    cursor at which the next import of the query starts once this one has ended; None for the beginning.
    """

    products: Sequence[SourceProduct]
    following: SourceCursor | None
    total: int | None = None
    share: float | None = None
    next_time: SourceCursor | None = None


class SourceBusy(TransientFailure):
    """The source is busy, or its rate limit is reached: try again after ``retry_after`` seconds; ``cause`` says why."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.cause = message
        self.retry_after = retry_after


class CursorLost(PermanentFailure):
    """The cursor is no longer valid (another export was published): the import starts from the beginning."""


# Stands for the export that a database publishes, in place of a path or an address.
PUBLISHED = "published"


def named_query(values: Mapping[QueryKind, str], limit: int | None = None, prefix: str = "") -> ProductQuery:
    """The query of the only kind that has a value; blank values do not count, and that of ``changes`` says nothing.

    ``prefix`` is put before names in messages (``--`` of options). Raises InvalidInput unless one kind has a value.
    """
    given = [(kind, value.strip()) for kind, value in values.items() if value.strip()]
    if len(given) != 1:
        names = [f"{prefix}{kind}" for kind in QueryKind]
        raise InvalidInput(f"say what to collect, by one of {', '.join(names[:-1])} and {names[-1]}")
    kind, value = given[0]
    without_value = kind is QueryKind.CHANGES or (kind is QueryKind.EXPORT and value == PUBLISHED)
    return ProductQuery(kind, "" if without_value else value, limit)
