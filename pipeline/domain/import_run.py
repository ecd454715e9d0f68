"""Imports: a run with its counts and cursor, its rows, their verdicts, and the products that vanished."""

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
    """A request to import: the origin of the rows, and the source to import them into.

    Requests for one source with the same ``fingerprint`` have the same rows, so that one can continue the import of
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
        """A request to import the results of a query to a product database."""
        origin = f"{database}: {query.kind} {query.value}".strip()
        return cls(source_id, origin, query.fingerprint(database), None, database, query, unique_key)


@dataclass(frozen=True, slots=True)
class PageCounts:
    """The number of rows of a page by verdict, and how many of its accepted rows have no photo."""

    verdicts: Counter[Verdict]
    without_photo: int


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import in progress: its id, the number of its last committed row, and the counts up to that row.

    The other fields are set for imports from product databases: ``following`` is the source's cursor after that row,
    ``ended`` means that the source has no more products, ``complete`` that every product of the query was seen.
    ``share`` (the progress, 0 to 1) and ``total`` (the expected number of products) are None while unknown.
    ``next_start`` is the cursor at which the next import of the same query starts.
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
    next_start: SourceCursor | None = None

    @property
    def accepted(self) -> int:
        """The number of rows with a listing of their own."""
        return self.row - self.verdicts[Verdict.REJECTED] - self.verdicts[Verdict.VARIANT]

    def after_page(self, query: ProductQuery, page: ProductPage, counts: PageCounts) -> ImportRun:
        """The run after ``page`` has been imported with these counts."""
        row = self.row + len(page.products)
        ended = page.following is None
        limit = query.limit
        total = self.total if page.total is None else page.total if limit is None else min(page.total, limit)
        # A run that was stopped by its limit has not seen all products. One that got fewer products than the source
        # counts received empty pages.
        all_seen = limit is None or row < limit or (page.total is not None and page.total <= limit)
        all_seen = all_seen and (total is None or row >= total)
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
            complete=ended and all_seen and query.kind is not QueryKind.CHANGES,
            share=1.0 if ended else None if share is None else min(share, 1.0),
            total=total,
            next_start=page.next_start,
        )


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """A stored import; ``verdicts_kept`` is False after verdicts of its rows were purged.

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
        """Whether the import is not done, and still has the verdicts of its rows."""
        return self.status is not ImportStatus.DONE and self.verdicts_kept


@dataclass(frozen=True, slots=True)
class VanishedProducts:
    """Products that were in the previous complete import of a query (``previous_id``), but are not in this import.

    ``count`` and ``previous_id`` are None if unknown; ``previous_accepted`` is the number of products of the previous
    import. ``later_id`` is a complete import of the same query after this one, None if there is none.
    """

    import_id: int
    count: int | None
    previous_id: int | None
    previous_accepted: int
    later_id: int | None

    @property
    def suspicious(self) -> bool:
        """Whether more than half of all products vanished, which may be an error of the database."""
        return self.count is not None and too_many_vanished(self.count, self.previous_accepted)


@dataclass(frozen=True, slots=True)
class VanishedListing:
    """The listing of a vanished product; ``number`` is the product's row in the previous import."""

    number: int
    listing_id: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The number of listings that were withdrawn, and of vanished products whose listing was kept."""

    withdrawn: int
    kept: int


@dataclass(frozen=True, slots=True)
class IncomingRow:
    """A row to import, numbered from 1: its content, or the ``problem`` why it has none.

    ``notes`` are remarks for users: a photo is missing, a text was corrected. ``provenance`` is set if the content
    comes from a product database.
    """

    number: int
    external_id: str | None
    content: Content | None
    problem: Reason | None = None
    notes: tuple[Reason, ...] = ()
    provenance: Provenance | None = None
    is_variant: bool = False


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows ``first`` to ``last`` of an import, encoded for ``ImportRepository.add_encoded_rows``.

    ``content`` is in the format of the store. With ``latest_wins`` all rows of an external id are imported one after
    the other, at most ``turns`` after the first; otherwise only the first row. ``accepted`` counts the rows to import,
    and ``seller_categories`` are all of their categories.
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
    """The verdict on a row of an import; ``reason`` is set for rejected rows only."""

    number: int
    external_id: str | None
    verdict: Verdict
    listing_id: int | None = None
    reason: Reason | None = None
    notes: tuple[Reason, ...] = ()


def too_many_vanished(vanished: int, accepted: int) -> bool:
    """Whether more than half of the products that the previous import accepted have vanished."""
    return 2 * vanished > accepted


def count_page(rows: Sequence[IncomingRow], verdicts: Sequence[RowVerdict]) -> PageCounts:
    """The counts of a page of rows and their verdicts."""
    accepted = (row for row, judged in zip(rows, verdicts, strict=True) if judged.verdict is not Verdict.REJECTED)
    without_photo = sum(row.content is not None and not row.content.images for row in accepted)
    return PageCounts(Counter(judged.verdict for judged in verdicts), without_photo)
