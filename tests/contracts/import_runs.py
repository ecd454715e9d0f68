"""Imports brought to the state that a test begins with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import pytest

from pipeline.domain.import_run import ImportRequest, ImportRun, IncomingRow, PageCounts
from pipeline.domain.listing import Content
from pipeline.domain.product_source import ProductPage, ProductQuery, QueryKind
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.ports.repositories import ImportLocks
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.imports import import_page, running_import

QUERY = ProductQuery(QueryKind.CATEGORY, "champagnes")
WINES = ProductQuery(QueryKind.CATEGORY, "wines")
DATABASE = "openfoodfacts"
FIRST = {"1": "Brut", "2": "Rosé", "3": "Demi-sec", "4": "Blanc de blancs"}


class ImportStore(Protocol):
    """What imports are run on."""

    @property
    def units(self) -> UnitsOfWork:
        """Units of work on the store."""
        ...

    @property
    def locks(self) -> ImportLocks:
        """Locks of imports."""
        ...


def of_query(source: Source, query: ProductQuery = QUERY) -> ImportRequest:
    """The request of a query."""
    return ImportRequest.of_query(source.id, DATABASE, query)


def add_rows(store: ImportStore, request: ImportRequest, run: ImportRun, names: Mapping[str, str]) -> None:
    """Import the next rows, with these names by external id; a row without a name is rejected."""
    rows = [
        IncomingRow(number, code, Content(name) if name else None, None if name else Reason(ReasonCode.NAME_MISSING))
        for number, (code, name) in enumerate(names.items(), run.row + 1)
    ]
    import_page(store.units, request.source_id, run.id, rows)


def interrupted(store: ImportStore, request: ImportRequest, names: Mapping[str, str] = FIRST) -> int:
    """An import that failed after its first rows."""

    begun: list[int] = []

    def fail() -> None:
        with running_import(store.units, store.locks, request) as run:
            begun.append(run.id)
            add_rows(store, request, run, names)
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        fail()
    return begun[0]


def complete(store: ImportStore, request: ImportRequest, names: Mapping[str, str]) -> int:
    """An import from a database that met all products."""
    assert request.query is not None
    with running_import(store.units, store.locks, request, afresh=True) as run:
        add_rows(store, request, run, names)
        with store.units() as unit:
            record = unit.imports.lock(run.id)
            assert record is not None
            page = ProductPage((), None, next_start={"since": 7})
            unit.imports.advance(record.run.after_page(request.query, page, PageCounts(Counter(), 0)))
            unit.commit()
    return run.id
