"""Imports: a run with its counts and cursor, its rows, and their verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pipeline.domain.listing import Content
from pipeline.domain.product_source import ProductPage, ProductQuery, Provenance, QueryKind, SourceCursor
from pipeline.domain.reason import Reason
from pipeline.domain.verdict import Verdict


class ImportStatus(StrEnum):
    """The state of an import."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"


class Difference(StrEnum):
    """Differences of a complete import from the previous complete import of the same query."""

    CAME_BACK = "came_back"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A request to import: the origin of the rows, and the source whose listings they become.

    Requests of one source with the same ``fingerprint`` ask for the same rows, so that one can continue the import of
    another. ``database`` and ``query`` are None for a file. At most one import has a given ``unique_key``.
    """

    source_id: int
    origin: str
    fingerprint: str
    total: int | None = None
    database: str | None = None
    query: ProductQuery | None = None
    unique_key: str | None = None

    @classmethod
    def of_query(
        cls, source_id: int, database: str, query: ProductQuery, unique_key: str | None = None
    ) -> ImportRequest:
        """A request for the products that a query finds in a database."""
        origin = f"{database}: {query.kind} {query.value}".strip()
        return cls(source_id, origin, query.fingerprint(database), None, database, query, unique_key)


@dataclass(frozen=True, slots=True)
class PageCounts:
    """The verdicts of a page by number, and how many of its accepted rows have no photo."""

    verdicts: Counter[Verdict]
    without_photo: int


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import in progress: its id, the number of its last committed row, and the counts up to there.

    The rest is set for imports from product databases: ``following`` is the source's cursor after that row, ``ended``
    means that the source has no more, ``complete`` that every product of the query was seen. ``share`` (0 to 1) and
    ``total`` (products to expect in all) are None while unknown. ``next_time`` is the cursor at which the next run of
    the same query starts.
    """

    id: int
    row: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    without_photo: int = 0
    following: SourceCursor | None = None
    ended: bool = False
    complete: bool = False
    share: float | None = None
    total: int | None = None
    next_time: SourceCursor | None = None

    @property
    def accepted(self) -> int:
        """Rows that were not rejected."""
        return self.row - self.verdicts[Verdict.REJECTED]

    def after_page(self, query: ProductQuery, page: ProductPage, counts: PageCounts) -> ImportRun:
        """The run once ``page`` has been imported with these counts."""
        row = self.row + len(page.products)
        ended = page.following is None
        limit = query.limit
        total = self.total if page.total is None else page.total if limit is None else min(page.total, limit)
        # A run that its limit stopped has not seen all products. One that got fewer products than the source counts
        # was given empty pages.
        all_met = limit is None or row < limit or (page.total is not None and page.total <= limit)
        all_met = all_met and (total is None or row >= total)
        share = page.share
        if share is None and (expected := total or limit):
            share = row / expected
        return replace(
            self,
            row=row,
            verdicts=self.verdicts + counts.verdicts,
            without_photo=self.without_photo + counts.without_photo,
            following=page.following,
            ended=ended,
            complete=ended and all_met and query.kind is not QueryKind.CHANGES,
            share=1.0 if ended else None if share is None else min(share, 1.0),
            total=total,
            next_time=page.next_time,
        )


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """An import as it is stored. ``verdicts_kept`` is False once verdicts of its rows were purged.

    ``database`` and ``query`` are None for a file.
    """

    run: ImportRun
    source_id: int
    status: ImportStatus
    database: str | None
    query: ProductQuery | None
    verdicts_kept: bool

    @property
    def can_continue(self) -> bool:
        """Whether it is not done, and the verdicts of its rows are still kept."""
        return self.status is not ImportStatus.DONE and self.verdicts_kept


@dataclass(frozen=True, slots=True)
class VanishedProducts:
    """Products that an import no longer has but the previous complete import of its query (``former_id``) had.

    ``count`` and ``former_id`` are None where that is unknown; ``former_accepted`` counts the products of the former
    import. ``later_id`` is a complete import of the same query since.
    """

    import_id: int
    count: int | None
    former_id: int | None
    former_accepted: int
    later_id: int | None

    @property
    def suspicious(self) -> bool:
        """Whether more than half of all products are gone, which may be a fault of the database."""
        return self.count is not None and too_many_vanished(self.count, self.former_accepted)


@dataclass(frozen=True, slots=True)
class VanishedListing:
    """The listing of a vanished product; ``number`` is the product's row in the former import."""

    number: int
    listing_id: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The number of listings withdrawn, and of vanished products that keep theirs."""

    withdrawn: int
    kept: int


@dataclass(frozen=True, slots=True)
class IncomingRow:
    """A row to import (its number, from 1): content, or the ``problem`` why it has none.

    ``notes`` are remarks for users: a photo is missing, a text was corrected.
    ``provenance`` is set where the content comes from a product database.
    """

    number: int
    external_id: str | None
    content: Content | None
    problem: Reason | None = None
    notes: tuple[Reason, ...] = ()
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows ``first`` to ``last`` of an import, encoded for ``ImportRepository.add_encoded_rows``.

    ``content`` is in the format of the store. With ``latest_wins`` every row of an external id is imported in turn, at
    most ``turns`` after its first; else the first row only. ``accepted`` counts the rows to be imported, and
    ``seller_categories`` are all that they name.
    """

    first: int
    last: int
    content: bytes
    latest_wins: bool
    turns: int
    accepted: int
    seller_categories: frozenset[str | None]


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """The verdict on one row of an import; ``reason`` is set for rejected rows only."""

    number: int
    external_id: str | None
    verdict: Verdict
    listing_id: int | None = None
    reason: Reason | None = None
    notes: tuple[Reason, ...] = ()


def too_many_vanished(vanished: int, accepted: int) -> bool:
    """Whether more than half of the products that the previous import accepted are gone."""
    return 2 * vanished > accepted


def count_page(rows: Sequence[IncomingRow], verdicts: Sequence[RowVerdict]) -> PageCounts:
    """The counts of a page, from its rows and the verdict on each."""
    accepted = (row for row, found in zip(rows, verdicts, strict=True) if found.verdict is not Verdict.REJECTED)
    without_photo = sum(row.content is not None and not row.content.images for row in accepted)
    return PageCounts(Counter(found.verdict for found in verdicts), without_photo)
