"""Collect: import the results of a query to a product database page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.domain.import_run import EncodedRows, ImportRun, IncomingRow, count_page
from pipeline.domain.product_source import CursorLost, ProductPage, ProductQuery, QueryKind, SourceCursor, SourceProduct
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.ports.repositories import RowEncoder
from pipeline.ports.services import ProductSource
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.imports import import_page_in

# Pages of these queries have thousands of products and are imported in bulk.
BULK_KINDS = frozenset({QueryKind.EXPORT, QueryKind.CHANGES})
PreparedPage = tuple[ProductPage, Sequence[IncomingRow] | EncodedRows]


@dataclass(frozen=True, slots=True)
class CollectContext:
    """The ports of the use case; ``report`` is called with the run after each page."""

    units: UnitsOfWork
    source: ProductSource
    encode: RowEncoder
    report: Callable[[ImportRun], None]


def collect(context: CollectContext, query: ProductQuery, source_id: int, run: ImportRun) -> ImportRun:
    """Import the remaining products of a query into a source, starting at the cursor of ``run``; returns the final run.

    A page is one transaction: listings, revisions, jobs, provenances, verdicts, counts and cursor are committed
    together, so an interrupted run continues at the first page that is not committed. No transaction is open while the
    product database is queried. Of a file, the next page is read and encoded while the current one is being imported.
    Raises what ``ProductSource.page`` raises, and Conflict when another process has continued the run.
    """
    units, source = context.units, context.source

    def prepare(cursor: SourceCursor | None, last_number: int) -> PreparedPage:
        page = source.page(query, cursor)
        rows = rows_of_products(page.products, last_number)
        if query.kind in BULK_KINDS and rows:
            return page, context.encode(rows, latest_wins=query.kind is QueryKind.CHANGES)
        return page, rows

    next_page: Future[PreparedPage] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="collect") as pool:
        while not run.ended:
            try:
                page, rows = next_page.result() if next_page is not None else prepare(run.following, run.row)
            except CursorLost:
                if run.following is None:
                    raise
                run, next_page = _restart(units, run.id), None
            else:
                next_page = None
                if isinstance(rows, EncodedRows) and page.following is not None:
                    next_page = pool.submit(prepare, page.following, rows.last)
                run = _import_products(units, query, source_id, run, page, rows)
            context.report(run)
    source.delete_local_copies()
    return run


def rows_of_products(products: Sequence[SourceProduct], last_number: int) -> list[IncomingRow]:
    """Products as rows of an import, numbered from ``last_number`` + 1."""
    return [
        IncomingRow(
            number,
            product.code,
            product.content,
            None if product.content is not None else product.problem or Reason(ReasonCode.NO_CONTENT),
            product.notes,
            product.provenance,
        )
        for number, product in enumerate(products, last_number + 1)
    ]


def _import_products(
    units: UnitsOfWork,
    query: ProductQuery,
    source_id: int,
    run: ImportRun,
    page: ProductPage,
    rows: Sequence[IncomingRow] | EncodedRows,
) -> ImportRun:
    with units() as unit:
        if isinstance(rows, EncodedRows):
            counts = unit.imports.add_encoded_rows(source_id, run.id, rows, page.following)
        else:
            counts = count_page(rows, import_page_in(unit, source_id, run.id, rows))
        next_run = run.after_page(query, page, counts)
        unit.imports.advance(next_run)
        unit.commit()
    return next_run


def _restart(units: UnitsOfWork, import_id: int) -> ImportRun:
    with units() as unit:
        run = unit.imports.restart(import_id)
        unit.commit()
    return run
