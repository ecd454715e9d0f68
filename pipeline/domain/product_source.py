"""A product database: what it is asked for, and what it returns page by page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pipeline.domain.errors import InvalidInput, PermanentFailure, TransientFailure
from pipeline.domain.listing import Content

# Where to go on: made by a source, kept as JSON by the record, handed back unread. None is the beginning.
SourceCursor = Mapping[str, Any]


class QueryKind(StrEnum):
    """How a source is asked. ``export`` is its whole published file, ``changes`` the files of what changed lately."""

    CATEGORY = "category"
    TEXT = "text"
    BARCODES = "barcodes"
    EXPORT = "export"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class ProductQuery:
    """What is wanted of a source.

    ``value`` is the category's name, the words, the barcodes with commas between them, or the path or address of an
    export (empty: the one the source publishes). ``limit`` is the number of products, None for all there are.
    """

    kind: QueryKind
    value: str = ""
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.kind in {QueryKind.CATEGORY, QueryKind.TEXT, QueryKind.BARCODES} and not self.value.strip():
            raise InvalidInput(f"a query by {self.kind} needs a value")
        if self.limit is not None and self.limit < 1:
            raise InvalidInput("a limit is 1 or more")

    def as_json(self) -> dict[str, Any]:
        """The query as the record keeps it; ``of_json`` reads it back."""
        return {"kind": self.kind.value, "value": self.value, "limit": self.limit}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> ProductQuery:
        """The query that ``as_json`` gave."""
        return cls(QueryKind(kept["kind"]), kept.get("value", ""), kept.get("limit"))

    def fingerprint(self, source: str) -> str:
        """SHA-256 (hex) of the query to this source: a run over the same goes on where an interrupted one stopped."""
        asked = json.dumps([source, self.kind.value, " ".join(self.value.split()), self.limit])
        return hashlib.sha256(asked.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms a source gives its products, and how it is to be named beside them."""

    name: str
    url: str
    attribution: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a product comes from: its page at the source, the source's own categories, when it was last changed there.

    ``categories`` are the source's identifiers, from the general to the particular. The licence is its source's.
    """

    source: str
    address: str
    categories: tuple[str, ...] = ()
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SourceProduct:
    """One product as a source gave it: tidy content, or the ``problem`` that leaves it without any.

    ``code`` is the external id (a barcode where the source has them), None when it cannot be told. ``notes`` say what
    was mended or left out on the way. ``content.seller_category`` is always None: what a source's categories mean
    here is for the rules of the mapping to say.
    """

    code: str | None
    content: Content | None
    provenance: Provenance | None
    problem: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProductPage:
    """The next products of a query, and where to go on; ``following`` is None when that was the last.

    ``total`` is how many products the source says there are, None when it does not. ``share`` (0 to 1) is how far the
    query is after this page where that can be told otherwise (bytes of an export), None when it cannot. ``next_time``
    is where the next run of the same query begins, once this one has ended; None for the beginning.
    """

    products: Sequence[SourceProduct]
    following: SourceCursor | None
    total: int | None = None
    share: float | None = None
    next_time: SourceCursor | None = None


class SourceBusy(TransientFailure):
    """The source is busy, or its rate limit is reached: try again after ``retry_after`` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CursorLost(PermanentFailure):
    """What the cursor stands in is not there any more (another export was published): the query begins anew."""


# The word for the export that a database publishes, instead of a path or an address.
PUBLISHED = "published"


def named_query(
    *,
    category: str = "",
    text: str = "",
    barcodes: str = "",
    export: str = "",
    changes: bool = False,
    limit: int | None = None,
    mark: str = "",
) -> ProductQuery:
    """The one query that was named; ``mark`` stands before names where they are told (``--`` of options).

    Raises InvalidInput when there is none, or more than one.
    """
    named = {QueryKind.CATEGORY: category, QueryKind.TEXT: text, QueryKind.BARCODES: barcodes, QueryKind.EXPORT: export}
    given = [(kind, value.strip()) for kind, value in named.items() if value.strip()]
    if changes:
        given.append((QueryKind.CHANGES, ""))
    if len(given) != 1:
        names = [f"{mark}{kind}" for kind in QueryKind]
        raise InvalidInput(f"say what to collect, by one of {', '.join(names[:-1])} and {names[-1]}")
    kind, value = given[0]
    return ProductQuery(kind, "" if kind is QueryKind.EXPORT and value == PUBLISHED else value, limit)
