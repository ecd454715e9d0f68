"""Pages in bulk end as row by row: every table, whatever repeats, changes, comes back or cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text

from infra.store.imports.bulk_import import encode_rows
from infra.store.imports.repository import import_locks
from infra.store.listings.labelled_listings import labelled_listings
from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import ImportRequest, ImportRun
from pipeline.domain.listing import Content
from pipeline.domain.product_source import (
    Licence,
    ProductPage,
    ProductQuery,
    Provenance,
    QueryKind,
    SourceCursor,
    SourceProduct,
)
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps import collect, intake
from pipeline.steps.imports import running_import
from tests.contracts.stores import OnPostgres
from tests.integration.infra.store.imports.tables import import_tables
from tests.integration.records import add_source, decide

DATABASE = "openfoodfacts"
CATEGORIES = (("en:drinks", "en:wines"), ("en:drinks",), ("en:drinks", "en:unknown"), ())
TRICKY = (
    *("tab\tand\nline \\N \\. \\", "\x01\x02", "one \x01", "two \x02", "ستارة 🪟"),
    *('{"quoted": "\\u0000"}', "NULL", "e\u0301"),
)
PAGES, PAGE = 3, 40


class Pages:
    """A source of prepared pages; ``rejecting`` tells repeated products itself, as one that is read row by row does."""

    name = DATABASE
    licence = Licence("ODbL 1.0", "https://opendatacommons.org/licenses/odbl/1-0/", "by everybody")

    def __init__(self, pages: Sequence[Sequence[SourceProduct]], *, rejecting: bool) -> None:
        self._pages = [list(page) for page in pages]
        if rejecting:
            met: dict[str, int] = {}
            for number, (page, at) in enumerate(((p, at) for p in self._pages for at in range(len(p))), 1):
                product = page[at]
                if product.content is not None and product.code is not None:
                    first = met.setdefault(product.code, number)
                    if first != number:
                        page[at] = replace(product, content=None, problem=Reason.of(ReasonCode.SAME_ID, row=first))

    def page(self, _query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        at = int(cursor["page"]) if cursor else 0
        following = {"page": at + 1} if at + 1 < len(self._pages) else None
        return ProductPage(self._pages[at], following, None, (at + 1) / len(self._pages))

    def delete_local_copies(self) -> None:
        pass


def drawn(rng: Random) -> Iterator[list[SourceProduct]]:
    """Pages of products that repeat within a page and across, with few different contents."""
    for _ in range(PAGES):
        yield [product(rng) for _ in range(PAGE)]


def product(rng: Random) -> SourceProduct:
    number = rng.randrange(70)
    code = f"code {number}"
    categories = rng.choice(CATEGORIES)
    provenance = Provenance(DATABASE, f"https://world.example/{code}", categories)
    if rng.random() < 0.1:
        return SourceProduct(
            rng.choice((code, None)), None, provenance, Reason(ReasonCode.NAME_MISSING), (Reason.other("a note"),)
        )
    content = Content(
        name=f"{TRICKY[number % len(TRICKY)]} {code}",
        description=rng.choice(("", "Ingredients: raisin")),
        attributes={"brand": TRICKY[-number % len(TRICKY)], "quantity": "75 cl"} if number % 2 else {},
        images=tuple(f"https://images.example/{n}.jpg" for n in range(number % 3)),
    )
    return SourceProduct(
        code, content, provenance, None, rng.choice(((), (Reason.other("mended"), Reason(ReasonCode.IMAGE_MISSING))))
    )


def run(engine: Engine, units: UnitsOfWork, source: Source, query: ProductQuery, pages: Pages) -> ImportRun:
    request = ImportRequest.of_query(source.id, DATABASE, query)
    with running_import(units, import_locks(engine), request, afresh=True) as begun:
        context = collect.CollectContext(units, pages, encode_rows, lambda _: None)
        return collect.collect(context, query, source.id, begun)


def between(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    """What happens from one import to the next: some are withdrawn, decided, reviewed; some jobs are out."""
    with engine.connect() as connection:
        ids = connection.execute(
            text("SELECT id FROM listings WHERE source_id = :s ORDER BY external_id"), {"s": source.id}
        ).scalars()
        chosen = list(ids)
    for listing_id in chosen[::5]:
        intake.withdraw(units, listing_id)
    with engine.begin() as connection:
        for number, listing_id in enumerate(chosen[1::5]):
            state = ("sent", "done")[number % 2]
            connection.execute(
                text(
                    "UPDATE jobs SET state = CAST(:state AS job_state), "
                    "deadline = CASE WHEN :state = 'sent' THEN timestamptz '2100-01-01' END "
                    "WHERE listing_id = :id AND state = 'waiting'"
                ),
                {"state": state, "id": listing_id},
            )
            connection.execute(
                text(
                    "UPDATE listings SET status = 'assigned', category = 'A', confidence = 0.9, reviewed = true "
                    "WHERE id = :id AND status = 'pending'"
                ),
                {"id": listing_id},
            )


def state(engine: Engine, source: Source) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        found = import_tables(connection, source.id)
        labels = labelled_listings(connection, source.taxonomy_id)
        return found | {"labels": [(one.external_id, one.category, one.photo) for one in labels]}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", [QueryKind.EXPORT, QueryKind.CHANGES])
def test_bulk_ends_as_row_by_row(
    engine: Engine, units: UnitsOfWork, monkeypatch: pytest.MonkeyPatch, kind: QueryKind, seed: int
) -> None:
    query = ProductQuery(kind)
    bulk, rows = (add_source(engine, name) for name in ("bulk", "row by row"))
    for source in (bulk, rows):
        decide(engine, source, "en:drinks", "Drinks")
        decide(engine, source, "en:wines", "Drinks >> Wine")
    rng = Random(seed)
    for _ in range(3):
        pages = list(drawn(rng))
        ended = run(engine, units, bulk, query, Pages(pages, rejecting=False))
        with monkeypatch.context() as patched:
            patched.setattr(collect, "BULK_KINDS", frozenset())
            expected = run(engine, units, rows, query, Pages(pages, rejecting=kind is QueryKind.EXPORT))
        assert replace(ended, id=0) == replace(expected, id=0)
        assert ended.verdicts[Verdict.REJECTED] > 0
        found, wanted = state(engine, bulk), state(engine, rows)
        for table, content in wanted.items():
            assert found[table] == content, table
        assert found["labels"]
        for source in (bulk, rows):
            between(engine, units, source)
    assert {row[4] for row in found["verdicts"]} == set(Verdict) - {Verdict.VARIANT}, "products have no variants"


def test_a_page_that_is_not_the_next_one_is_refused_and_writes_nothing(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    pages = Pages([[product(Random(4))], [product(Random(5))]], rejecting=False)
    query = ProductQuery(QueryKind.EXPORT)
    first = run(engine, units, source, query, pages)
    before = state(engine, source)
    context = collect.CollectContext(units, pages, encode_rows, lambda _: None)
    with pytest.raises(Conflict):
        collect.collect(context, query, source.id, ImportRun(first.id))
    assert state(engine, source) == before


def test_a_page_in_bulk_wakes_the_relay(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    store = OnPostgres(engine)
    try:
        run(engine, units, source, ProductQuery(QueryKind.EXPORT), Pages([[product(Random(4))]], rejecting=False))
        assert store.relay_was_woken()
    finally:
        store.close()
