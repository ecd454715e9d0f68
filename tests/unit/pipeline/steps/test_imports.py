"""Imports whose end cannot be written, and withdrawing in chunks, on the in-memory store."""

from __future__ import annotations

import pytest

from pipeline.domain.import_run import ImportRequest, ImportStatus, Withdrawal
from pipeline.domain.source import Source
from pipeline.steps.imports import running_import, withdraw_vanished
from tests.contracts.import_runs import FIRST, add_rows, complete, of_query
from tests.fakes.unit_of_work import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def source(store: MemoryStore) -> Source:
    return store.add_source("shop")


@pytest.fixture
def file(source: Source) -> ImportRequest:
    return ImportRequest(source.id, "catalogue.csv", "fingerprint", total=9)


def test_an_import_whose_failure_cannot_be_written_stays_running_and_continues(
    store: MemoryStore, file: ImportRequest
) -> None:
    def lose_the_database() -> None:
        with running_import(store.units, store.locks, file) as run:
            add_rows(store, file, run, FIRST)
            store.fail_next_commit()
            raise OSError("lost")

    with pytest.raises(OSError, match="lost"):
        lose_the_database()
    (import_id,) = store.tables.imports
    assert store.tables.imports[import_id].status is ImportStatus.RUNNING
    with running_import(store.units, store.locks, file) as again:
        assert (again.id, again.row) == (import_id, 4)


def test_vanished_products_are_withdrawn_in_chunks_that_are_committed(
    store: MemoryStore, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(store, of_query(source), FIRST)
    second = complete(store, of_query(source), {"5": "Doux"})
    monkeypatch.setattr("pipeline.steps.imports.CHUNK_SIZE", 3)
    commits = store.commits
    assert withdraw_vanished(store.units, second, even_most=True) == Withdrawal(4, 0)
    assert store.commits == commits + 2
