"""Imports that tests of the database begin with: held by this process, abandoned, or run over products by name."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from sqlalchemy import Engine

from infra.store.imports.bulk_import import encode_rows
from infra.store.imports.repository import import_locks
from infra.store.unit_of_work import units_of_work
from pipeline.domain.import_run import ImportRecord, ImportRequest, ImportRun, ImportStatus
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
from pipeline.steps.collect import CollectContext, collect
from pipeline.steps.imports import end_import, open_import, resumed_import

DATABASE = "openfoodfacts"
CHAMPAGNES = ProductQuery(QueryKind.CATEGORY, "champagnes")


def file_import(
    engine: Engine, source_id: int, fingerprint: str = "f", origin: str = "a.csv", *, afresh: bool = False
) -> AbstractContextManager[ImportRun]:
    """The import of a file, held until the block ends; it stays running afterwards, as if its process had died."""
    request = ImportRequest(source_id, origin, fingerprint, 99)
    return open_import(units_of_work(engine), import_locks(engine), request, afresh=afresh)


def query_import(
    engine: Engine, source_id: int, query: ProductQuery = CHAMPAGNES, *, afresh: bool = False
) -> AbstractContextManager[ImportRun]:
    """The import of a query, held until the block ends; it stays running afterwards, as if its process had died."""
    request = ImportRequest.of_query(source_id, DATABASE, query)
    return open_import(units_of_work(engine), import_locks(engine), request, afresh=afresh)


def held_import(engine: Engine, import_id: int) -> AbstractContextManager[ImportRecord]:
    """An import from a product database, held until the block ends."""
    return resumed_import(units_of_work(engine), import_locks(engine), import_id)


class NamedProducts:
    """A ``ProductSource`` with products of these names by code, two a page; one without a name cannot be used."""

    name = DATABASE
    licence = Licence("ODbL 1.0", "https://opendatacommons.org/licenses/odbl/1-0/", "by everybody")

    def __init__(self, names: Mapping[str, str]) -> None:
        self._products = [_product(code, name) for code, name in names.items()]

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The next two products."""
        first = int(cursor["at"]) if cursor else 0
        found = self._products[: query.limit]
        following = {"at": first + 2} if first + 2 < len(found) else None
        return ProductPage(found[first : first + 2], following, len(self._products))

    def delete_local_copies(self) -> None:
        """Nothing is kept."""


def run_query(
    engine: Engine,
    source: Source,
    names: Mapping[str, str],
    query: ProductQuery = CHAMPAGNES,
    status: ImportStatus | None = ImportStatus.DONE,
) -> int:
    """An import of products with these names by code; ``status`` None leaves it running, and no process at work."""
    units = units_of_work(engine)
    with query_import(engine, source.id, query, afresh=True) as run:
        collect(CollectContext(units, NamedProducts(names), encode_rows, lambda _: None), query, source.id, run)
        if status is not None:
            end_import(units, run.id, status, None if status is ImportStatus.DONE else "it broke")
    return run.id


def _product(code: str, name: str) -> SourceProduct:
    content = Content(name, images=(f"https://images.example/{code}.jpg",)) if name else None
    provenance = Provenance(DATABASE, f"https://world.openfoodfacts.org/product/{code}", ("en:wines", "en:champagnes"))
    return SourceProduct(code, content, provenance, None if name else Reason(ReasonCode.NAME_MISSING))
