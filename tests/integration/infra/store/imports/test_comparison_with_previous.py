"""How a complete import differs from the one before it, why that may be unknown, and withdrawing what vanished."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from infra.store.imports.queries import (
    DifferenceKind,
    ImportDifferences,
    find_differences,
    find_import,
    list_products_of_kind,
)
from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import ImportStatus, Withdrawal
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.imports import withdraw_vanished
from tests.integration.imports import CHAMPAGNES, file_import, run_query

FIRST = {"1": "Brut", "2": "Rosé", "3": "Demi-sec", "4": "Blanc de blancs"}
WINES = ProductQuery(QueryKind.CATEGORY, "wines")
LIMITED = ProductQuery(QueryKind.CATEGORY, "champagnes", 2)
STATES = "SELECT external_id, status::text FROM listings WHERE source_id = :source ORDER BY 1"


def diff(engine: Engine, import_id: int) -> ImportDifferences:
    with engine.connect() as connection:
        found = find_import(connection, import_id, None)
        assert found is not None
        return find_differences(connection, found)


def codes(engine: Engine, import_id: int, kind: DifferenceKind, after: int = 0, limit: int = 50) -> list[str]:
    with engine.connect() as connection:
        return [row.external_id or "" for row in list_products_of_kind(connection, import_id, kind, after, limit)]


def withdrawn(engine: Engine, source: Source) -> list[str]:
    with engine.connect() as connection:
        rows = connection.execute(text(STATES), {"source": source.id})
        return [row.external_id for row in rows if row.status == "withdrawn"]


def test_one_new_one_changed_one_gone_and_back_again(engine: Engine, source: Source) -> None:
    first = run_query(engine, source, FIRST)
    second = run_query(engine, source, {"1": "Brut", "2": "Rosé 2024", "4": "Blanc de blancs", "5": "Millésimé"})
    told = diff(engine, second)
    assert told.counts == {"new": 1, "changed": 1, "unchanged": 2, "came_back": 0, "vanished": 1}
    assert (told.compared_with, told.why_not) == (first, None)
    kinds = {kind: codes(engine, second, kind) for kind in DifferenceKind}
    assert kinds == {"new": ["5"], "changed": ["2"], "unchanged": ["1", "4"], "came_back": [], "vanished": ["3"]}
    with engine.connect() as connection:
        changed = list_products_of_kind(connection, second, DifferenceKind.CHANGED, 0, 9)[0]
        gone = list_products_of_kind(connection, second, DifferenceKind.VANISHED, 0, 9)[0]
    assert (changed.name, changed.changes) == ("Rosé 2024", ["name"])
    assert (gone.number, gone.name, gone.status) == (3, "Demi-sec", "pending")

    third = run_query(engine, source, FIRST)
    assert dict(diff(engine, third).counts) | {"new": 0} == {
        "new": 0,
        "changed": 1,
        "unchanged": 3,
        "came_back": 1,
        "vanished": 1,
    }
    assert (codes(engine, third, DifferenceKind.CAME_BACK), codes(engine, third, DifferenceKind.VANISHED)) == (
        ["3"],
        ["5"],
    )


def test_who_is_met_but_cannot_be_used_has_not_vanished(engine: Engine, source: Source) -> None:
    run_query(engine, source, FIRST)
    assert diff(engine, run_query(engine, source, FIRST | {"2": ""})).counts["vanished"] == 0


def test_lists_are_read_page_by_page(engine: Engine, source: Source) -> None:
    run_query(engine, source, FIRST)
    second = run_query(engine, source, {"3": "Demi-sec"})
    assert codes(engine, second, DifferenceKind.VANISHED, limit=2) == ["1", "2"]
    assert codes(engine, second, DifferenceKind.VANISHED, after=2) == ["4"]


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("first", "the first complete import of its query"),
        ("running", "is still running"),
        ("failed", "did not finish"),
        ("limited", "did not read everything"),
        ("changes", "changes only"),
        ("purged", "verdicts of import 1, the complete import before it, were purged"),
        ("other source", "the first complete import of its query"),
        ("file", "a file may hold any part"),
    ],
)
def test_a_run_that_cannot_tell_says_why(
    engine: Engine, units: UnitsOfWork, source: Source, case: str, why: str
) -> None:
    query = {"limited": LIMITED, "changes": ProductQuery(QueryKind.CHANGES)}.get(case, CHAMPAGNES)
    status = {"running": None, "failed": ImportStatus.FAILED}.get(case, ImportStatus.DONE)
    if case not in {"first", "other source"}:
        run_query(engine, source, FIRST, query)
    if case == "purged":
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM import_rows WHERE number = 2"))
    if case == "other source":
        run_query(engine, source, FIRST, WINES)
    if case == "file":
        with file_import(engine, source.id) as run:
            import_id = run.id
    else:
        import_id = run_query(engine, source, FIRST if case == "limited" else {"1": "Brut"}, query, status)
    told = diff(engine, import_id)
    assert why in str(told.why_not)
    assert (told.counts["vanished"], told.compared_with) == (None, None)
    with pytest.raises(Conflict, match=f"import {import_id} does not tell what vanished"):
        withdraw_vanished(units, import_id)


def test_a_run_that_was_cut_in_between_is_passed_over(engine: Engine, source: Source) -> None:
    first = run_query(engine, source, FIRST)
    run_query(engine, source, {"1": "Brut"}, status=ImportStatus.FAILED)
    assert diff(engine, run_query(engine, source, FIRST)).compared_with == first


def test_vanished_products_are_withdrawn_on_request_only_and_with_their_jobs(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    run_query(engine, source, FIRST)
    second = run_query(engine, source, {"1": "Brut", "2": "Rosé", "4": "Blanc de blancs"})
    assert withdrawn(engine, source) == []
    assert withdraw_vanished(units, second) == Withdrawal(1, 0)
    assert withdrawn(engine, source) == ["3"]
    assert withdraw_vanished(units, second) == Withdrawal(0, 0)
    with engine.connect() as connection:
        job = connection.execute(
            text("SELECT j.state, j.note FROM jobs j JOIN listings l ON l.id = j.listing_id WHERE external_id = '3'")
        ).one()
        event = connection.execute(text("SELECT payload FROM events WHERE kind = 'listing_withdrawn'")).one()
    assert tuple(job) == ("superseded", "the listing was withdrawn")
    assert event.payload == {"vanished_in": second}

    third = run_query(engine, source, FIRST)
    with engine.connect() as connection:
        back = list_products_of_kind(connection, third, DifferenceKind.CHANGED, 0, 9)
    assert [(row.external_id, row.changes, row.status) for row in back] == [("3", ["listed again"], "pending")]
