"""Collect: a product database is asked page by page, and each page is taken in before the next is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from pipeline.domain.import_run import EncodedRows, ImportRow, ImportRun
from pipeline.domain.product_source import CursorLost, ProductPage, ProductQuery, QueryKind, SourceCursor, SourceProduct
from pipeline.ports.repositories import Press, UnitsOfWork
from pipeline.ports.services import ProductSource
from pipeline.steps.import_rows import take_page_in

# Their pages have thousands of products.
IN_BULK = frozenset({QueryKind.EXPORT, QueryKind.CHANGES})
Ready = tuple[ProductPage, Sequence[ImportRow] | EncodedRows]


def collect(
    units: UnitsOfWork,
    source: ProductSource,
    query: ProductQuery,
    source_id: int,
    run: ImportRun,
    report: Callable[[ImportRun], None],
    press: Press,
) -> ImportRun:
    """Take in what the source has for the query, from where ``run`` stands to the end; returns the run as it ended.

    A page is one transaction: listings, revisions, jobs, provenances, verdicts, counts and cursor stand or fall
    together, so a run that dies goes on at the first page that is not committed; ``report`` is told after each. No
    transaction is open while the source is asked; but of a file the next page is read, and pressed, while the record
    takes in the last. Raises what ``ProductSource.page`` raises, and Conflict when somebody else took the run on from
    here.
    """

    def ready(following: SourceCursor | None, after: int) -> Ready:
        page = source.page(query, following)
        rows = arrived(page.products, after)
        in_bulk = query.kind in IN_BULK and bool(rows)
        return page, press(rows, query.kind is QueryKind.CHANGES) if in_bulk else rows

    ahead: Future[Ready] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="collect") as pool:
        while not run.ended:
            try:
                page, rows = ahead.result() if ahead is not None else ready(run.following, run.row)
            except CursorLost:
                if run.following is None:
                    raise
                run, ahead = _begin_anew(units, run.id), None
            else:
                ahead = None
                if isinstance(rows, EncodedRows) and page.following is not None:
                    ahead = pool.submit(ready, page.following, rows.last)
                run = _take_in(units, query, source_id, run, page, rows)
            report(run)
    source.finished()
    return run


def arrived(products: Sequence[SourceProduct], after: int) -> list[ImportRow]:
    """Products as the rows of an import that come after row number ``after``."""
    return [
        ImportRow(
            number,
            product.code,
            product.content,
            None if product.content is not None else product.problem or "no content",
            "; ".join(product.notes) or None,
            product.provenance,
        )
        for number, product in enumerate(products, after + 1)
    ]


def _take_in(
    units: UnitsOfWork,
    query: ProductQuery,
    source_id: int,
    run: ImportRun,
    page: ProductPage,
    rows: Sequence[ImportRow] | EncodedRows,
) -> ImportRun:
    with units() as unit:
        if isinstance(rows, EncodedRows):
            verdicts, bare = unit.imports.take_in(source_id, run.id, rows, page.following)
        else:
            verdicts = Counter(judged.verdict for judged in take_page_in(unit, source_id, run.id, rows))
            bare = sum(row.content is not None and not row.content.images for row in rows)
        then = run.after(query, page, verdicts, bare)
        unit.imports.go_on(then)
        unit.commit()
    return then


def _begin_anew(units: UnitsOfWork, import_id: int) -> ImportRun:
    with units() as unit:
        run = unit.imports.begin_anew(import_id)
        unit.commit()
    return run
