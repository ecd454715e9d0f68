"""What collections promise: one of a query into a source, due once a period, and imports that run one at a time."""

from __future__ import annotations

import pytest

from pipeline.domain.collection import CollectionUpdate, NewSchedule, ProductRequest
from pipeline.domain.errors import IdempotencyKeyReused, InvalidInput, NotFound
from pipeline.domain.job import JobKind, JobState, Priority, Requested
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.domain.source import Source
from pipeline.ports.repositories import IdempotencyKey
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.collections import (
    DueCollection,
    add_collection,
    change_collection,
    import_products,
    remove_collection,
    run_collection,
    start_due_collections,
)
from tests.contracts.contract_store import ContractStore
from tests.contracts.records import CollectionSeen, LongJobSeen, Records

HOUR = 3600
HOURLY = "every 3600"
WINES = ProductRequest("openfoodfacts", ProductQuery(QueryKind.CATEGORY, "wines", 10), "shop")
TEAS = ProductRequest("openfoodfacts", ProductQuery(QueryKind.CATEGORY, "teas"), "shop")


def collect_job(import_id: int) -> LongJobSeen:
    return LongJobSeen(JobKind.COLLECT, Priority.IMPORT, JobState.WAITING, {"import_id": import_id})


def test_the_same_query_is_one_collection(units: UnitsOfWork, records: Records) -> None:
    kept = add_collection(units, WINES, HOURLY)
    assert kept.is_new
    assert add_collection(units, WINES, None) == Requested(kept.id, is_new=False)
    other = add_collection(units, TEAS, HOURLY)
    assert other.is_new
    assert records.collections() == [
        CollectionSeen(kept.id, None, paused=False, has_next_time=False),
        CollectionSeen(other.id, HOURLY, paused=False, has_next_time=True),
    ]
    with pytest.raises(InvalidInput, match="not a schedule"):
        add_collection(units, ProductRequest("openfoodfacts", TEAS.query, "market"), "now and then")
    assert len(records.collections()) == 2


def test_repeating_a_request_does_not_put_a_collection_off(store: ContractStore, units: UnitsOfWork) -> None:
    kept = add_collection(units, WINES, HOURLY)
    store.pass_time(HOUR + 1)
    add_collection(units, WINES, HOURLY)
    change_collection(units, kept.id, CollectionUpdate(NewSchedule(HOURLY), paused=False))
    assert [due.collection_id for due in start_due_collections(units)] == [kept.id]


def test_a_paused_collection_is_not_due_until_it_is_resumed(
    store: ContractStore, units: UnitsOfWork, records: Records
) -> None:
    kept = add_collection(units, WINES, HOURLY).id
    change_collection(units, kept, CollectionUpdate(paused=True))
    add_collection(units, WINES, "every 60")
    store.pass_time(HOUR + 1)
    assert list(start_due_collections(units)) == []
    assert records.collections() == [CollectionSeen(kept, "every 60", paused=True, has_next_time=False)]
    change_collection(units, kept, CollectionUpdate(paused=False))
    assert list(start_due_collections(units)) == [], "its time begins anew"
    store.pass_time(61)
    assert len(list(start_due_collections(units))) == 1
    change_collection(units, kept, CollectionUpdate(NewSchedule(None)))
    assert records.collections() == [CollectionSeen(kept, None, paused=False, has_next_time=False)]


def test_a_period_has_one_run(store: ContractStore, units: UnitsOfWork, records: Records) -> None:
    kept = add_collection(units, WINES, HOURLY).id
    store.pass_time(5 * HOUR + 1)
    (due,) = start_due_collections(units)
    assert due.import_id is not None
    assert due == DueCollection(kept, due.import_id, None)
    assert records.long_jobs() == [collect_job(due.import_id)]
    assert list(start_due_collections(units)) == [], "periods that passed without a look are not made up for"


def test_a_collection_whose_last_import_still_runs_is_skipped(
    store: ContractStore, units: UnitsOfWork, records: Records
) -> None:
    kept = add_collection(units, WINES, HOURLY).id
    running = import_products(units, WINES).id
    store.pass_time(HOUR + 1)
    assert list(start_due_collections(units)) == [DueCollection(kept, None, running)]
    assert list(start_due_collections(units)) == [], "it is due next in an hour"
    assert records.long_jobs() == [collect_job(running)]


def test_products_are_imported_once_at_a_time(units: UnitsOfWork, records: Records) -> None:
    first = import_products(units, WINES)
    assert first.is_new
    assert import_products(units, WINES) == Requested(first.id, is_new=False)
    second = import_products(units, TEAS)
    assert second.is_new
    assert records.long_jobs() == [collect_job(first.id), collect_job(second.id)]
    assert records.collections() == []


def test_an_import_with_a_schedule_is_kept_as_a_collection(units: UnitsOfWork, records: Records) -> None:
    assert import_products(units, WINES, HOURLY).is_new
    ((_, schedule, paused, has_next_time),) = records.collections()
    assert (schedule, paused, has_next_time) == (HOURLY, False, True)


def test_a_repeated_request_is_answered_with_the_first_import(
    units: UnitsOfWork, records: Records, key_id: int
) -> None:
    once = IdempotencyKey(key_id, "k1", "body")
    first = import_products(units, WINES, None, once)
    records.end_long_jobs()
    assert import_products(units, TEAS, None, once) == first, "nothing is done, whatever the request says"
    assert len(records.long_jobs()) == 1
    with pytest.raises(IdempotencyKeyReused):
        import_products(units, WINES, None, IdempotencyKey(key_id, "k1", "another body"))


def test_a_collection_runs_on_request_and_is_due_as_before(
    store: ContractStore, units: UnitsOfWork, records: Records
) -> None:
    kept = add_collection(units, WINES, HOURLY).id
    requested = run_collection(units, kept)
    assert requested.is_new
    assert run_collection(units, kept) == Requested(requested.id, is_new=False)
    assert records.long_jobs() == [collect_job(requested.id)]
    store.pass_time(HOUR + 1)
    assert list(start_due_collections(units)) == [DueCollection(kept, None, requested.id)]


def test_a_removed_collection_is_gone_and_never_due(store: ContractStore, units: UnitsOfWork) -> None:
    kept = add_collection(units, WINES, HOURLY).id
    remove_collection(units, kept)
    store.pass_time(HOUR + 1)
    assert list(start_due_collections(units)) == []
    with pytest.raises(NotFound):
        remove_collection(units, kept)


def test_collections_of_other_sources_are_not_found(units: UnitsOfWork, records: Records, source: Source) -> None:
    kept = add_collection(units, WINES, HOURLY).id
    own, others = frozenset({source.id}), frozenset({source.id + 1_000_000})
    with pytest.raises(NotFound):
        change_collection(units, kept, CollectionUpdate(paused=True), others)
    with pytest.raises(NotFound):
        run_collection(units, kept, others)
    with pytest.raises(NotFound):
        remove_collection(units, kept, frozenset())
    assert records.collections() == [CollectionSeen(kept, HOURLY, paused=False, has_next_time=True)]
    change_collection(units, kept, CollectionUpdate(paused=True), own)
    assert [seen.paused for seen in records.collections()] == [True]


def test_each_collection_is_reported_before_the_next_is_started(
    store: ContractStore, units: UnitsOfWork, records: Records
) -> None:
    for products in (WINES, TEAS):
        add_collection(units, products, HOURLY)
    store.pass_time(HOUR + 1)
    started = start_due_collections(units)
    for count in (1, 2):
        next(started)
        assert len(records.long_jobs()) == count
    assert next(started, None) is None
