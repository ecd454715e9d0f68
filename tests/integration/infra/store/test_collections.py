"""Standing collections: kept, paused, due once a period however many look, and runs that are asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from infra.store.collections.repository import (
    add_collection,
    begin_due,
    find_collection,
    list_collections,
    pause_collection,
    remove_collection,
    request_import,
    reschedule_collection,
    resume_collection,
    run_collection,
    source_of_products,
)
from infra.store.imports import opening
from infra.store.imports.opening import open_collecting, resume_import
from infra.store.imports.repository import end_import
from infra.store.taxonomies.repository import ensure_source
from pipeline.domain.errors import Conflict, InvalidInput, NotFound
from pipeline.domain.import_run import ImportStatus
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.domain.source import Source

CHAMPAGNES = ProductQuery(QueryKind.CATEGORY, "champagnes", 10)
TEAS = ProductQuery(QueryKind.CATEGORY, "green-teas")
FOOD = "openfoodfacts"
NIGHTLY = "0 3 * * *"
MAKE_DUE = "UPDATE collections SET next_at = now() - interval '3 days'"
COLLECT_JOBS = "SELECT (payload ->> 'import_id')::bigint FROM jobs WHERE kind = 'collect' ORDER BY id"
STATUSES = "SELECT status::text FROM imports ORDER BY id"


def do(engine: Engine, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
    with engine.begin() as connection:
        return work(connection, *given, **named)


def rows(engine: Engine, statement: str) -> list[Any]:
    with engine.begin() as connection:
        found = connection.execute(text(statement))
        return [row[0] if len(row) == 1 else tuple(row) for row in found] if found.returns_rows else []


def test_the_same_query_is_one_collection_and_its_next_time_is_pushed_by_nobody(engine: Engine, source: Source) -> None:
    kept = do(engine, add_collection, source.id, FOOD, CHAMPAGNES, NIGHTLY)
    rows(engine, MAKE_DUE)
    assert do(engine, add_collection, source.id, FOOD, CHAMPAGNES, NIGHTLY) == kept
    found = do(engine, find_collection, kept)
    assert found["next_at"] < datetime.now(UTC)
    assert (found["source"], found["database"], found["schedule"], found["paused"]) == ("shop", FOOD, NIGHTLY, False)
    assert ProductQuery.of_json(found["query"]) == CHAMPAGNES
    assert (found["last_import_id"], found["last_status"], found["last_ended_at"]) == (None, None, None)

    assert do(engine, add_collection, source.id, FOOD, CHAMPAGNES, 3600) == kept
    found = do(engine, find_collection, kept)
    assert found["schedule"] == "every 3600"
    assert timedelta(0) < found["next_at"] - datetime.now(UTC) <= timedelta(hours=1)
    assert do(engine, add_collection, source.id, FOOD, TEAS, None) != kept
    assert [c["next_at"] is None for c in do(engine, list_collections, None)] == [False, True]


def test_a_key_sees_the_collections_of_its_sources_only(engine: Engine, source: Source) -> None:
    kept = do(engine, add_collection, source.id, FOOD, CHAMPAGNES, NIGHTLY)
    other = do(engine, ensure_source, "other").id
    assert do(engine, list_collections, frozenset({other})) == []
    assert [c["id"] for c in do(engine, list_collections, frozenset({source.id}))] == [kept]
    for change in (find_collection, pause_collection, resume_collection, remove_collection, run_collection):
        with pytest.raises(NotFound, match=f"there is no collection {kept}"):
            do(engine, change, kept, frozenset({other}))


def test_a_wrong_schedule_changes_nothing(engine: Engine, source: Source) -> None:
    with pytest.raises(InvalidInput, match="not a schedule"):
        do(engine, add_collection, source.id, FOOD, CHAMPAGNES, "now and then")
    assert do(engine, list_collections, None) == []


def test_a_paused_collection_is_not_due_until_it_is_resumed(engine: Engine, source: Source) -> None:
    kept = do(engine, add_collection, source.id, FOOD, CHAMPAGNES, NIGHTLY)
    rows(engine, MAKE_DUE)
    do(engine, pause_collection, kept)
    do(engine, add_collection, source.id, FOOD, CHAMPAGNES, 60)
    do(engine, reschedule_collection, kept, "@hourly")
    assert do(engine, find_collection, kept)["next_at"] is None
    assert begin_due(engine) == []
    do(engine, resume_collection, kept)
    found = do(engine, find_collection, kept)
    assert (found["schedule"], found["paused"]) == ("@hourly", False)
    assert found["next_at"] > datetime.now(UTC)
    do(engine, reschedule_collection, kept, None)
    assert do(engine, find_collection, kept)["next_at"] is None


def test_what_is_due_has_one_run_whoever_looks(engine: Engine, source: Source) -> None:
    for query in (CHAMPAGNES, TEAS):
        do(engine, add_collection, source.id, FOOD, query, NIGHTLY)
    rows(engine, MAKE_DUE)
    begun: list[list[int]] = []
    looks = [threading.Thread(target=lambda: begun.append(begin_due(engine))) for _ in range(6)]
    for look in looks:
        look.start()
    for look in looks:
        look.join()
    assert len(begun) == 6
    imports = rows(engine, "SELECT id FROM imports ORDER BY id")
    assert sorted(number for found in begun for number in found) == imports
    assert rows(engine, COLLECT_JOBS) == imports
    assert len(imports) == 2
    # Three nights passed unseen; they are not made up for.
    assert begin_due(engine) == []
    assert all(c["next_at"] > datetime.now(UTC) for c in do(engine, list_collections, None))
    assert {c["last_import_id"] for c in do(engine, list_collections, None)} == set(imports)


def test_a_period_whose_forerunner_still_runs_is_skipped(
    engine: Engine, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    kept = do(engine, add_collection, source.id, FOOD, CHAMPAGNES, NIGHTLY)
    rows(engine, MAKE_DUE)
    (first,) = begin_due(engine)
    rows(engine, MAKE_DUE)
    assert begin_due(engine) == []
    assert f"collection {kept} is due, but its import {first} still runs" in caplog.text
    assert do(engine, find_collection, kept)["next_at"] > datetime.now(UTC)

    # The job was given up, but a process is at it by command.
    rows(engine, "UPDATE jobs SET state = 'dead', ended_at = now()")
    with resume_import(engine, first):
        rows(engine, MAKE_DUE)
        assert begin_due(engine) == []
    # Nobody is at it any more: the next one takes its place.
    rows(engine, MAKE_DUE)
    assert len(begin_due(engine)) == 1
    assert rows(engine, STATUSES) == ["failed", "running"]


def test_a_run_is_asked_for_once_and_goes_on_after_a_failure(engine: Engine, source: Source) -> None:
    first, begun = do(engine, request_import, source.id, FOOD, CHAMPAGNES)
    assert begun
    assert do(engine, request_import, source.id, FOOD, CHAMPAGNES) == (first, False)
    assert do(engine, request_import, source.id, FOOD, TEAS) == (first + 1, True)
    rows(engine, "UPDATE jobs SET state = 'done', ended_at = now()")
    do(engine, end_import, first, ImportStatus.FAILED, "it refused")
    assert do(engine, request_import, source.id, FOOD, CHAMPAGNES) == (first, True)
    assert rows(engine, f"SELECT status::text, note FROM imports WHERE id = {first}") == [("running", None)]
    rows(engine, "UPDATE jobs SET state = 'done', ended_at = now()")
    again, begun = do(engine, request_import, source.id, FOOD, CHAMPAGNES, afresh=True)
    assert begun
    assert again not in {first, first + 1}
    rows(engine, "UPDATE jobs SET state = 'done', ended_at = now()")
    do(engine, end_import, again, ImportStatus.DONE)
    latest, begun = do(engine, request_import, source.id, FOOD, CHAMPAGNES)
    assert begun
    assert latest > again


def test_a_run_by_command_is_the_one_that_runs(engine: Engine, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "PATIENCE", 50)
    with open_collecting(engine, source.id, FOOD, CHAMPAGNES) as run:
        assert do(engine, request_import, source.id, FOOD, CHAMPAGNES) == (run.id, False)
        with pytest.raises(Conflict, match="runs right now"), resume_import(engine, run.id):
            pass
    assert do(engine, request_import, source.id, FOOD, CHAMPAGNES) == (run.id, True)
    # By whatever way it is asked for, it is told as the same.
    do(engine, request_import, source.id, FOOD, ProductQuery(QueryKind.CHANGES))
    with open_collecting(engine, source.id, FOOD, ProductQuery(QueryKind.CHANGES), afresh=True):
        told = rows(engine, "SELECT origin, query::text FROM imports WHERE query ->> 'kind' = 'changes'")
    assert told[0] == told[1]
    assert told[0][0] == f"{FOOD}: changes"


def test_a_collection_runs_on_request_and_its_imports_outlive_it(engine: Engine, source: Source) -> None:
    kept = do(engine, add_collection, source.id, FOOD, CHAMPAGNES, NIGHTLY)
    due = do(engine, find_collection, kept)["next_at"]
    asked, begun = do(engine, run_collection, kept)
    assert begun
    assert do(engine, run_collection, kept) == (asked, False)
    found = do(engine, find_collection, kept)
    assert (found["next_at"], found["last_import_id"], found["last_status"]) == (due, asked, "running")
    do(engine, remove_collection, kept)
    assert do(engine, list_collections, None) == []
    assert rows(engine, "SELECT id, collection_id FROM imports") == [(asked, None)]


def test_products_join_the_only_taxonomy_that_a_model_decides(engine: Engine, source: Source) -> None:
    assert do(engine, source_of_products, FOOD).taxonomy == FOOD
    rows(
        engine,
        "INSERT INTO model_versions (taxonomy_id, number, status, manifest) SELECT id, 1, 'active', '{}' "
        "FROM taxonomies WHERE name = 'shop'",
    )
    rows(engine, "UPDATE taxonomies SET active_model_id = (SELECT max(id) FROM model_versions) WHERE name = 'shop'")
    assert do(engine, source_of_products, FOOD).taxonomy == FOOD  # it had one already
    assert do(engine, source_of_products, FOOD, " drinks ").taxonomy == "shop"
    assert do(engine, source_of_products, FOOD, "own", "own shelves").taxonomy == "own shelves"
    with pytest.raises(InvalidInput, match="belongs to the taxonomy 'shop'"):
        do(engine, source_of_products, FOOD, "drinks", "own shelves")
