"""What importing may expect of imports and their rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import ImportRun, ImportStatus, RowVerdict
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.imports import end_import
from tests.contracts.contract_store import ContractStore, ImportSeen

ROWS = [
    RowVerdict(1, "a", Verdict.NEW),
    RowVerdict(2, "b", Verdict.UNCHANGED, notes=(Reason(ReasonCode.NO_PHOTO),)),
    RowVerdict(3, None, Verdict.REJECTED, reason=Reason.other("no name")),
]


def add_page(units: UnitsOfWork, import_id: int, rows: list[RowVerdict], without_photo: int = 0) -> None:
    with units() as unit:
        unit.imports.add_page(import_id, rows, without_photo)
        unit.commit()


def test_a_page_is_counted_and_its_verdicts_kept(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    import_id = store.add_import(source.id)
    add_page(units, import_id, ROWS, without_photo=1)
    add_page(units, import_id, [RowVerdict(4, "c", Verdict.CHANGED)])
    add_page(units, import_id, [])
    assert store.import_state(import_id) == ImportSeen("running", 4, 1, 1, 1, 1, 1)
    assert store.import_rows(import_id) == [*ROWS, RowVerdict(4, "c", Verdict.CHANGED)]


@pytest.mark.parametrize("first", [1, 2, 3, 5])
def test_rows_that_are_not_the_next_are_refused(
    store: ContractStore, units: UnitsOfWork, source: Source, first: int
) -> None:
    import_id = store.add_import(source.id)
    add_page(units, import_id, ROWS)
    with pytest.raises(Conflict):
        add_page(units, import_id, [RowVerdict(first, "x", Verdict.NEW)])
    assert store.import_rows(import_id) == ROWS


def test_no_row_is_added_to_an_import_that_ended(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    import_id = store.add_import(source.id)
    end_import(units, import_id, ImportStatus.DONE)
    with pytest.raises(Conflict):
        add_page(units, import_id, ROWS)


def test_progress_is_written_only_at_the_row_where_the_import_is(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    import_id = store.add_import(source.id)
    add_page(units, import_id, ROWS)
    run = ImportRun(import_id, 3, Counter({Verdict.NEW: 1}), following={"page": 2}, share=0.5, total=6)
    with units() as unit:
        unit.imports.advance(run)
        unit.commit()
    with units() as unit, pytest.raises(Conflict):
        unit.imports.advance(replace(run, row=2))


def test_a_restarted_run_forgets_its_verdicts(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    import_id = store.add_import(source.id)
    add_page(units, import_id, ROWS, without_photo=1)
    with units() as unit:
        assert unit.imports.restart(import_id) == ImportRun(import_id)
        unit.commit()
    assert store.import_state(import_id) == ImportSeen("running", 0, 0, 0, 0, 0, 0)
    assert store.import_rows(import_id) == []
    add_page(units, import_id, ROWS)
