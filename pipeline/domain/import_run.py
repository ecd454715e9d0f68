"""ImportRun: an import in hand, the counts it has so far, and where it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipeline.domain.listing import Content, Verdict
from pipeline.domain.product_source import ProductPage, ProductQuery, Provenance, QueryKind, SourceCursor


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import in hand: its id, the number of the last row it has, and the counts up to there.

    The rest is for imports from product databases: ``following`` is where the source goes on, ``ended`` says that it
    has no more, ``complete`` that all there was has been met. ``share`` (0 to 1) and ``total`` (products to come, with
    those that came) are None while they cannot be told. ``next_time`` is where the next run of the query will begin.
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

    def after(
        self, query: ProductQuery, page: ProductPage, verdicts: Mapping[Verdict, int], without_photo: int
    ) -> ImportRun:
        """The run once ``page`` has been taken in with these verdicts, so many of those accepted without a photo."""
        products = page.products
        row = self.row + len(products)
        ended = page.following is None
        limit = query.limit
        total = self.total if page.total is None else page.total if limit is None else min(page.total, limit)
        # Changes are never all there is; and who was stopped by the limit does not know what else there was. Nor does
        # one who got fewer products than the source counts: some of its pages were empty.
        whole = limit is None or row < limit or (page.total is not None and page.total <= limit)
        whole = whole and (total is None or row >= total)
        share = page.share
        if share is None and (aim := total or limit):
            share = row / aim
        return replace(
            self,
            row=row,
            verdicts=self.verdicts + Counter(verdicts),
            without_photo=self.without_photo + without_photo,
            following=page.following,
            ended=ended,
            complete=ended and whole and query.kind is not QueryKind.CHANGES,
            share=1.0 if ended else None if share is None else min(share, 1.0),
            total=total,
            next_time=page.next_time,
        )


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row of an import (its number, from 1): content, or the ``problem`` that leaves it without any.

    ``note`` says what else is worth knowing of it: a photo that is missing, a text that was changed on the way in.
    ``provenance`` is set where the content comes from a product database.
    """

    number: int
    external_id: str | None
    content: Content | None
    problem: str | None = None
    note: str | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows of an import, ``first`` to ``last``, made ready for the record to take in at once.

    ``content`` is in the record's own form. Of one id each row is taken in turn where the ``latest_wins``, at most
    ``turns`` after the first; else the first row only. ``taken`` counts the rows that are taken, and
    ``seller_categories`` are all that are named.
    """

    first: int
    last: int
    content: bytes
    latest_wins: bool
    turns: int
    taken: int
    seller_categories: frozenset[str | None]


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """The verdict on one row of an import; ``reason`` is set for rejected rows only."""

    number: int
    external_id: str | None
    verdict: Verdict
    listing_id: int | None = None
    reason: str | None = None
    note: str | None = None
