"""Collections on Postgres: kept, paused, due once a period however many look, and runs that are requested."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from infra.store.collections import CollectionView, find_collection, list_collections
from infra.store.imports import repository
from infra.store.unit_of_work import units_of_work
from pipeline.domain.collection import CollectionUpdate, ProductRequest
from pipeline.domain.errors import Conflict, InvalidInput, NotFound
from pipeline.domain.import_run import ImportRequest, ImportStatus
from pipeline.domain.job import Requested
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.collections import (
    add_collection,
    change_collection,
    import_products,
    remove_collection,
    run_collection,
    start_due_collections,
)
from pipeline.steps.imports import begin_or_continue, end_import
from pipeline.steps.source_registration import source_of_products
from tests.integration.imports import held_import, query_import
from tests.integration.records import add_source

FOOD = "openfoodfacts"
CHAMPAGNES = ProductRequest(FOOD, ProductQuery(QueryKind.CATEGORY, "champagnes", 10), "shop")
TEAS = ProductRequest(FOOD, ProductQuery(QueryKind.CATEGORY, "green-teas"), "shop")
CHANGES = ProductRequest(FOOD, ProductQuery(QueryKind.CHANGES), "shop")
NIGHTLY = "0 3 * * *"
MAKE_DUE = "UPDATE collections SET next_at = now() - interval '3 days'"
END_JOBS = "UPDATE jobs SET state = 'done', ended_at = now()"
COLLECT_JOBS = "SELECT (payload ->> 'import_id')::bigint FROM jobs WHERE kind = 'collect' ORDER BY id"
STATUSES = "SELECT status::text FROM imports ORDER BY id"

pytestmark = pytest.mark.usefixtures("source")


def rows(engine: Engine, statement: str) -> list[Any]:
    with engine.begin() as connection:
        found = connection.execute(text(statement))
        return [row[0] if len(row) == 1 else tuple(row) for row in found] if found.returns_rows else []


def found(engine: Engine, collection_id: int) -> CollectionView:
    with engine.connect() as connection:
        return find_collection(connection, collection_id)


def listed(engine: Engine, source_ids: frozenset[int] | None = None) -> list[CollectionView]:
    with engine.connect() as connection:
        return list_collections(connection, source_ids)


def begun(units: UnitsOfWork) -> list[int]:
    """The imports that are begun by looking now."""
    return [due.import_id for due in start_due_collections(units) if due.import_id is not None]


def fail(engine: Engine, import_id: int) -> None:
    end_import(units_of_work(engine), import_id, ImportStatus.FAILED, "it refused")


def test_many_that_keep_the_same_query_at_a_time_keep_one(units: UnitsOfWork, engine: Engine) -> None:
    kept: list[Requested] = []
    threads = [threading.Thread(target=lambda: kept.append(add_collection(units, TEAS, NIGHTLY))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.id for one in kept} == {collection.id for collection in listed(engine)}
    assert sum(one.is_new for one in kept) == 1


def test_a_key_sees_and_changes_the_collections_of_its_sources_only(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    kept = add_collection(units, CHAMPAGNES, NIGHTLY).id
    other = frozenset({add_source(engine, "other").id})
    assert listed(engine, other) == []
    assert [collection.id for collection in listed(engine, frozenset({source.id}))] == [kept]
    with engine.connect() as connection, pytest.raises(NotFound):
        find_collection(connection, kept, other)
    with pytest.raises(NotFound):
        change_collection(units, kept, CollectionUpdate(paused=True), other)
    for change in (remove_collection, run_collection):
        with pytest.raises(NotFound):
            change(units, kept, other)


def test_a_wrong_schedule_changes_nothing(engine: Engine, units: UnitsOfWork) -> None:
    with pytest.raises(InvalidInput, match="not a schedule"):
        add_collection(units, CHAMPAGNES, "now and then")
    assert listed(engine) == []


def test_a_period_has_one_run_however_many_look(engine: Engine, units: UnitsOfWork) -> None:
    for products in (CHAMPAGNES, TEAS):
        add_collection(units, products, NIGHTLY)
    rows(engine, MAKE_DUE)
    started: list[list[int]] = []
    threads = [threading.Thread(target=lambda: started.append(begun(units))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 6
    imports = rows(engine, "SELECT id FROM imports ORDER BY id")
    assert sorted(import_id for ids in started for import_id in ids) == imports
    assert rows(engine, COLLECT_JOBS) == imports
    assert len(imports) == 2
    # Three nights passed without a look; they are not made up for.
    assert begun(units) == []
    assert all(collection.next_at and collection.next_at > datetime.now(UTC) for collection in listed(engine))
    assert {collection.last_import_id for collection in listed(engine)} == set(imports)


def test_a_collection_whose_last_import_still_runs_is_skipped(engine: Engine, units: UnitsOfWork) -> None:
    kept = add_collection(units, CHAMPAGNES, NIGHTLY).id
    rows(engine, MAKE_DUE)
    (first,) = begun(units)
    rows(engine, MAKE_DUE)
    (skipped,) = start_due_collections(units)
    assert (skipped.collection_id, skipped.import_id, skipped.still_running) == (kept, None, first)
    next_at = found(engine, kept).next_at
    assert next_at is not None
    assert next_at > datetime.now(UTC)

    # The job was given up, but a command is working on the import.
    rows(engine, "UPDATE jobs SET state = 'dead', ended_at = now()")
    with held_import(engine, first):
        rows(engine, MAKE_DUE)
        assert begun(units) == []
    # No process is working on it any more: the next import takes its place.
    rows(engine, MAKE_DUE)
    assert len(begun(units)) == 1
    assert rows(engine, STATUSES) == ["failed", "running"]


def test_a_requested_import_runs_once_and_continues_after_a_failure(engine: Engine, units: UnitsOfWork) -> None:
    first = import_products(units, CHAMPAGNES)
    assert first.is_new
    assert import_products(units, CHAMPAGNES) == Requested(first.id, is_new=False)
    assert import_products(units, TEAS) == Requested(first.id + 1, is_new=True)
    rows(engine, END_JOBS)
    fail(engine, first.id)
    assert import_products(units, CHAMPAGNES) == first
    assert rows(engine, f"SELECT status::text, note FROM imports WHERE id = {first.id}") == [("running", None)]
    rows(engine, END_JOBS)
    end_import(units, first.id, ImportStatus.DONE)
    latest = import_products(units, CHAMPAGNES)
    assert latest.is_new
    assert latest.id > first.id


def test_an_import_can_begin_afresh_after_a_failure(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    first = import_products(units, CHAMPAGNES)
    rows(engine, END_JOBS)
    fail(engine, first.id)
    with units() as unit:
        again = begin_or_continue(unit, ImportRequest.of_query(source.id, FOOD, CHAMPAGNES.query), afresh=True)
        unit.commit()
    assert again.is_new
    assert again.id != first.id


def test_an_import_by_command_is_the_one_that_runs(
    engine: Engine, units: UnitsOfWork, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "LOCK_TIMEOUT_MS", 50)
    with query_import(engine, source.id, CHAMPAGNES.query) as run:
        assert import_products(units, CHAMPAGNES) == Requested(run.id, is_new=False)
        with pytest.raises(Conflict, match="is already running"), held_import(engine, run.id):
            pass
    assert import_products(units, CHAMPAGNES) == Requested(run.id, is_new=True)


def test_imports_by_command_and_on_request_are_recorded_alike(
    engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    import_products(units, CHANGES)
    with query_import(engine, source.id, CHANGES.query, afresh=True):
        requested, by_command = rows(engine, "SELECT origin, query::text FROM imports ORDER BY id")
    assert requested == by_command
    assert requested[0] == f"{FOOD}: changes"


def test_a_collection_runs_on_request_and_its_imports_outlive_it(engine: Engine, units: UnitsOfWork) -> None:
    kept = add_collection(units, CHAMPAGNES, NIGHTLY).id
    due = found(engine, kept).next_at
    requested = run_collection(units, kept)
    assert requested.is_new
    assert run_collection(units, kept) == Requested(requested.id, is_new=False)
    running = found(engine, kept)
    assert (running.next_at, running.last_import_id, running.last_status) == (due, requested.id, "running")
    remove_collection(units, kept)
    assert listed(engine) == []
    assert rows(engine, "SELECT id, collection_id FROM imports") == [(requested.id, None)]


def test_products_join_the_only_taxonomy_that_has_a_model(engine: Engine, units: UnitsOfWork) -> None:
    assert source_of_products(units, FOOD).taxonomy == FOOD
    rows(
        engine,
        "INSERT INTO model_versions (taxonomy_id, number, status, manifest) SELECT id, 1, 'active', '{}' "
        "FROM taxonomies WHERE name = 'shop'",
    )
    rows(engine, "UPDATE taxonomies SET active_model_id = (SELECT max(id) FROM model_versions) WHERE name = 'shop'")
    assert source_of_products(units, FOOD).taxonomy == FOOD  # it had one already
    assert source_of_products(units, FOOD, " drinks ").taxonomy == "shop"
    assert source_of_products(units, FOOD, "own", "own shelves").taxonomy == "own shelves"
    with pytest.raises(InvalidInput, match="belongs to the taxonomy 'shop'"):
        source_of_products(units, FOOD, "drinks", "own shelves")
