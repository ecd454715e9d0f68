"""Runs over a product database whose products a test names."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Engine

from infra.store.imports.opening import open_collecting
from infra.store.imports.repository import end_import
from infra.store.imports.staging import encode_rows
from infra.store.unit_of_work import units_of_work
from pipeline.domain.import_run import ImportStatus
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
from pipeline.domain.source import Source
from pipeline.steps.collect import collect

DATABASE = "openfoodfacts"
CHAMPAGNES = ProductQuery(QueryKind.CATEGORY, "champagnes")


class Shelf:
    """A ``ProductSource`` with these products, names by code; one without a name cannot be used."""

    name = DATABASE
    licence = Licence("ODbL 1.0", "https://opendatacommons.org/licenses/odbl/1-0/", "by everybody")

    def __init__(self, names: Mapping[str, str]) -> None:
        self._products = [_product(code, name) for code, name in names.items()]

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The next two products."""
        first = int(cursor["at"]) if cursor else 0
        wanted = self._products[: query.limit]
        following = {"at": first + 2} if first + 2 < len(wanted) else None
        return ProductPage(wanted[first : first + 2], following, len(self._products))

    def finished(self) -> None:
        """Nothing is kept."""


def _product(code: str, name: str) -> SourceProduct:
    content = Content(name, images=(f"https://images.example/{code}.jpg",)) if name else None
    provenance = Provenance(DATABASE, f"https://world.openfoodfacts.org/product/{code}", ("en:wines", "en:champagnes"))
    return SourceProduct(code, content, provenance, None if name else "it has no name")


def run_query(
    engine: Engine,
    source: Source,
    names: Mapping[str, str],
    query: ProductQuery = CHAMPAGNES,
    status: ImportStatus | None = ImportStatus.DONE,
) -> int:
    """An import over the products with these names by code; ``status`` None leaves it running, with nobody at it."""
    with open_collecting(engine, source.id, DATABASE, query, afresh=True) as run:
        collect(units_of_work(engine), Shelf(names), query, source.id, run, lambda now: None, encode_rows)
        if status is not None:
            with engine.begin() as connection:
                end_import(connection, run.id, status, None if status == ImportStatus.DONE else "it broke")
    return run.id
