"""Collecting from a prepared source on the in-memory store: pages, cursors, interruptions and lost cursors."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.domain.errors import AddressUnavailable, Conflict
from pipeline.domain.import_run import EncodedRows, ImportRequest, ImportRun, ImportStatus, IncomingRow
from pipeline.domain.listing import Content
from pipeline.domain.product_source import (
    CursorLost,
    Licence,
    ProductPage,
    ProductQuery,
    Provenance,
    QueryKind,
    SourceCursor,
    SourceProduct,
)
from pipeline.domain.reason import Reason, sentences
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.steps.collect import CollectContext, collect, rows_of_products
from tests.fakes.unit_of_work import MemoryStore

NOTES = (Reason.other("shortened"), Reason.other("cleaned"))

DATABASE = "openfoodfacts"
QUERY = ProductQuery(QueryKind.CATEGORY, "champagnes")


def product(code: str, name: str = "Brut", *, problem: Reason | None = None) -> SourceProduct:
    provenance = Provenance(DATABASE, f"https://world.example/{code}", ("en:wines",))
    return SourceProduct(code, None if problem else Content(name), provenance, problem, NOTES)


class PreparedSource:
    """A ``ProductSource`` with these pages; ``errors`` are raised once each, by the number of the page."""

    name = DATABASE
    licence = Licence("ODbL 1.0", "https://example.org", "by everybody")

    def __init__(
        self,
        pages: Sequence[Sequence[SourceProduct]],
        errors: dict[int, Exception] | None = None,
        total: int | None = None,
    ) -> None:
        self._pages, self._errors, self._total = pages, errors or {}, total
        self.asked: list[int] = []
        self.query: ProductQuery | None = None
        self.ended = False

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        number = int(cursor["page"]) if cursor else 0
        self.query = query
        self.asked.append(number)
        if number in self._errors:
            raise self._errors.pop(number)
        following = {"page": number + 1} if number + 1 < len(self._pages) else None
        return ProductPage(self._pages[number], following, self._total, next_start={"since": 7})

    def delete_local_copies(self) -> None:
        self.ended = True


def no_encoder(rows: Sequence[IncomingRow], *, latest_wins: bool) -> EncodedRows:
    raise AssertionError(f"{len(rows)} rows are not imported in bulk, {latest_wins}")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def source(store: MemoryStore) -> Source:
    return store.add_source("shop")


def begin(store: MemoryStore, source: Source, query: ProductQuery = QUERY) -> ImportRun:
    with store.units() as unit:
        import_id = unit.imports.begin(ImportRequest.of_query(source.id, DATABASE, query))
        unit.commit()
    assert import_id is not None
    return ImportRun(import_id)


def run_collect(
    store: MemoryStore, source: Source, products: PreparedSource, run: ImportRun, query: ProductQuery = QUERY
) -> tuple[ImportRun, list[ImportRun]]:
    reported: list[ImportRun] = []
    ended = collect(CollectContext(store.units, products, no_encoder, reported.append), query, source.id, run)
    return ended, reported


def test_every_page_is_one_commit_and_is_reported(store: MemoryStore, source: Source) -> None:
    products = PreparedSource(
        [[product("1"), product("2")], [product("3"), product("4", problem=Reason(ReasonCode.NAME_MISSING))]]
    )
    run = begin(store, source)
    commits = store.commits
    ended, reported = run_collect(store, source, products, run)
    assert store.commits == commits + 2
    assert [one.row for one in reported] == [2, 4]
    assert reported[-1] == ended == store.tables.imports[run.id].run
    assert (ended.ended, ended.complete, ended.share, ended.next_start) == (True, True, 1.0, {"since": 7})
    assert +ended.verdicts == {Verdict.NEW: 3, Verdict.REJECTED: 1}
    assert (ended.without_photo, ended.accepted) == (3, 3)
    assert products.ended


def test_rows_have_the_notes_problems_and_provenance_of_their_products(store: MemoryStore, source: Source) -> None:
    run = begin(store, source)
    run_collect(
        store, source, PreparedSource([[product("1"), product("2", problem=Reason(ReasonCode.NAME_MISSING))]]), run
    )
    good, bad = store.tables.import_rows.values()
    assert (good.external_id, good.verdict, sentences(good.notes)) == ("1", Verdict.NEW, "shortened; cleaned")
    assert (bad.external_id, bad.reason) == ("2", Reason(ReasonCode.NAME_MISSING))
    assert [one.address for one in store.tables.provenances.values()] == ["https://world.example/1"]


def test_a_run_continues_at_the_page_after_its_last(store: MemoryStore, source: Source) -> None:
    pages = [[product("1")], [product("2")], [product("3")]]
    broken = PreparedSource(pages, {1: AddressUnavailable("it does not answer")})
    run = begin(store, source)
    with pytest.raises(AddressUnavailable):
        run_collect(store, source, broken, run)
    stopped = store.tables.imports[run.id].run
    assert (stopped.row, stopped.following, broken.ended) == (1, {"page": 1}, False)
    ended, _ = run_collect(store, source, broken, stopped)
    assert broken.asked == [0, 1, 1, 2]
    assert (ended.row, +ended.verdicts) == (3, {Verdict.NEW: 3})


def test_a_lost_cursor_starts_the_run_again(store: MemoryStore, source: Source) -> None:
    products = PreparedSource([[product("1")], [product("2")]], {1: CursorLost("another export was published")})
    ended, reported = run_collect(store, source, products, begin(store, source))
    assert products.asked == [0, 1, 0, 1]
    assert [one.row for one in reported] == [1, 0, 1, 2]
    assert (ended.row, +ended.verdicts) == (2, {Verdict.UNCHANGED: 1, Verdict.NEW: 1})


def test_a_cursor_that_is_lost_at_the_beginning_is_an_error(store: MemoryStore, source: Source) -> None:
    with pytest.raises(CursorLost):
        run_collect(store, source, PreparedSource([[product("1")]], {0: CursorLost("gone")}), begin(store, source))


def test_a_run_that_another_process_continued_is_refused(store: MemoryStore, source: Source) -> None:
    products = PreparedSource([[product("1")], [product("2")]])
    run = begin(store, source)
    run_collect(store, source, products, run)
    with pytest.raises(Conflict):
        run_collect(store, source, products, run)


def test_a_run_that_is_no_longer_running_is_refused(store: MemoryStore, source: Source) -> None:
    run = begin(store, source)
    store.tables.imports[run.id].status = ImportStatus.FAILED
    with pytest.raises(Conflict):
        run_collect(store, source, PreparedSource([[product("1")]]), run)


@pytest.mark.parametrize(
    ("query", "total", "complete"),
    [
        (QUERY, None, True),
        (QUERY, 2, True),
        (QUERY, 3, False),
        (ProductQuery(QueryKind.CATEGORY, "champagnes", 2), None, False),
        (ProductQuery(QueryKind.CATEGORY, "champagnes", 2), 2, True),
        (ProductQuery(QueryKind.CATEGORY, "champagnes", 3), None, True),
    ],
)
def test_a_run_is_complete_when_it_met_all_products_of_its_query(
    store: MemoryStore, source: Source, query: ProductQuery, total: int | None, *, complete: bool
) -> None:
    products = PreparedSource([[product("1"), product("2")]], total=total)
    ended, _ = run_collect(store, source, products, begin(store, source, query), query)
    assert ended.complete is complete
    assert products.query == query


def test_rows_are_numbered_after_those_before() -> None:
    rows = rows_of_products([product("1"), SourceProduct(None, None, None)], 7)
    assert [(row.number, row.external_id, row.problem) for row in rows] == [
        (8, "1", None),
        (9, None, Reason(ReasonCode.NO_CONTENT)),
    ]


@pytest.mark.parametrize("kind", [QueryKind.EXPORT, QueryKind.CHANGES])
def test_files_of_products_are_imported_in_bulk(store: MemoryStore, source: Source, kind: QueryKind) -> None:
    query = ProductQuery(kind, "published" if kind is QueryKind.EXPORT else "")
    encoded: list[bool] = []

    def encode(rows: Sequence[IncomingRow], *, latest_wins: bool) -> EncodedRows:
        encoded.append(latest_wins)
        raise InterruptedError(f"{len(rows)} rows")

    products = PreparedSource([[product("1")]])
    with pytest.raises(InterruptedError, match="1 rows"):
        collect(
            CollectContext(store.units, products, encode, lambda _: None), query, source.id, begin(store, source, query)
        )
    assert encoded == [kind is QueryKind.CHANGES], "of changes, the latest of a product counts"
