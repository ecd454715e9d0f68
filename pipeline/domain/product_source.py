"""Product sources: queries to a product database, and the pages of products that it returns."""

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

# A position among the results of a query, stored as JSON; only the source interprets it.
SourceCursor = Mapping[str, Any]


class QueryKind(StrEnum):
    """Kinds of queries. ``export`` is the complete published file, ``changes`` are the files of recent changes."""

    CATEGORY = "category"
    TEXT = "text"
    BARCODES = "barcodes"
    EXPORT = "export"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class ProductQuery:
    """A query to a product source.

    ``value`` is the name of the category, the words, the barcodes separated by commas, or the path or address of an
    export (empty for the one that the source publishes). ``limit`` is the maximum number of products, None for all.
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
        """The JSON object to store; ``of_json`` reads it."""
        return {"kind": self.kind.value, "value": self.value, "limit": self.limit}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> ProductQuery:
        """The query in a JSON object of ``as_json``."""
        return cls(QueryKind(stored["kind"]), stored.get("value", ""), stored.get("limit"))

    def fingerprint(self, source: str) -> str:
        """SHA-256 (hex) of the source and query; an import may continue an earlier one with the same fingerprint."""
        parts = json.dumps([source, self.kind.value, " ".join(self.value.split()), self.limit])
        return hashlib.sha256(parts.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a source's products, and the attribution to show beside them."""

    name: str
    url: str
    attribution: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a product: its page, its categories and its last modification at the source.

    ``categories`` are the source's identifiers, from general to specific. The licence is that of the source.
    """

    source: str
    address: str
    categories: tuple[str, ...] = ()
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SourceProduct:
    """A product of a source: its normalised content, or the ``problem`` why it has none.

    ``code`` is the external id (a barcode if the source has them), None if unknown. ``notes`` list corrections and
    omissions. ``content.seller_category`` is always None: rules map the categories of a source to the taxonomy.
    """

    code: str | None
    content: Content | None
    provenance: Provenance | None
    problem: Reason | None = None
    notes: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class ProductPage:
    """The next products of a query; ``following`` is the cursor of the next page, None after the last one.

    ``total`` is the number of products that the source states, None if it states none. ``share`` (0 to 1) is the
    progress after this page if it is known by other means (bytes of an export), else None. ``next_start`` is the cursor
    at which the next import of the query starts after this one has ended, None for the beginning.
    """

    products: Sequence[SourceProduct]
    following: SourceCursor | None
    total: int | None = None
    share: float | None = None
    next_start: SourceCursor | None = None


class SourceBusy(TransientFailure):
    """The source is busy, or its rate limit is reached: retry after ``retry_after`` seconds. ``cause`` says why."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.cause = message
        self.retry_after = retry_after


class CursorLost(PermanentFailure):
    """The cursor is no longer valid (another export was published); the import must start from the beginning."""


# The value of an export query that means the database's own export, instead of a path or an address.
PUBLISHED = "published"


def named_query(values: Mapping[QueryKind, str], limit: int | None = None, prefix: str = "") -> ProductQuery:
    """The query of the only kind whose value is not blank; the value of ``changes`` is ignored.

    ``prefix`` is put before the kinds in messages, such as ``--`` for options. Raises InvalidInput unless exactly one
    kind has a value.
    """
    non_blank = [(kind, value.strip()) for kind, value in values.items() if value.strip()]
    if len(non_blank) != 1:
        names = [f"{prefix}{kind}" for kind in QueryKind]
        raise InvalidInput(f"say what to collect, by one of {', '.join(names[:-1])} and {names[-1]}")
    kind, value = non_blank[0]
    without_value = kind is QueryKind.CHANGES or (kind is QueryKind.EXPORT and value == PUBLISHED)
    return ProductQuery(kind, "" if without_value else value, limit)
