"""Pages of an import on the in-memory store, and dry runs that must give the same verdicts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import ImportRun, IncomingRow, RowVerdict
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content
from pipeline.domain.product_source import Provenance
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.steps.imports import DryRun, import_page
from pipeline.steps.intake import withdraw
from tests.fakes.unit_of_work import MemoryStore

NO_NAME = Reason(ReasonCode.NAME_MISSING)
NOTES = (Reason.other("a note"),)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def source(store: MemoryStore) -> Source:
    return store.add_source("shop")


def row(number: int, external_id: str | None = "a", name: str = "Curtain", *images: str) -> IncomingRow:
    return IncomingRow(number, external_id, Content(name, images=images), notes=NOTES)


def bad_row(number: int, external_id: str | None = None) -> IncomingRow:
    return IncomingRow(number, external_id, None, NO_NAME, NOTES)


def run_import(store: MemoryStore, source: Source, *pages: Sequence[IncomingRow]) -> list[RowVerdict]:
    import_id = store.add_import(source.id)
    return [verdict for page in pages for verdict in import_page(store.units, source.id, import_id, page)]


def verdicts(rows: Sequence[RowVerdict]) -> list[Verdict]:
    return [one.verdict for one in rows]


def test_a_page_is_listings_jobs_verdicts_and_counts_in_one_commit(store: MemoryStore, source: Source) -> None:
    found = run_import(store, source, [row(1, "a"), bad_row(2, "b"), row(3, "c", "Drape", "c.jpg")])
    listings = {listing.external_id: listing.id for listing in store.tables.listings.values()}
    assert found == [
        RowVerdict(1, "a", Verdict.NEW, listings["a"], None, NOTES),
        RowVerdict(2, "b", Verdict.REJECTED, None, NO_NAME, NOTES),
        RowVerdict(3, "c", Verdict.NEW, listings["c"], None, NOTES),
    ]
    (stored,) = store.tables.imports.values()
    assert (stored.run.row, +stored.run.verdicts) == (3, {Verdict.NEW: 2, Verdict.REJECTED: 1})
    assert stored.run.without_photo == 1
    assert [job.priority for job in store.tables.jobs.values()] == [Priority.IMPORT] * 2
    assert store.commits == 1


def test_a_row_without_an_id_is_rejected(store: MemoryStore, source: Source) -> None:
    (found,) = run_import(store, source, [row(1, None)])
    assert (found.verdict, found.reason) == (Verdict.REJECTED, Reason(ReasonCode.NO_ID))


def test_unchanged_rows_write_no_revision_and_lock_nothing(store: MemoryStore, source: Source) -> None:
    run_import(store, source, [row(1, "a"), row(2, "b")])
    before = store.tables
    found = run_import(store, source, [row(1, "a"), row(2, "b")])
    assert verdicts(found) == [Verdict.UNCHANGED] * 2
    assert (store.tables.revisions, store.tables.jobs) == (before.revisions, before.jobs)
    assert store.locked == [["a", "b"]]


def test_an_id_that_changes_within_the_page_is_imported_in_order(store: MemoryStore, source: Source) -> None:
    run_import(store, source, [row(1, "a", "Curtain")])
    found = run_import(store, source, [row(1, "a", "Curtain"), row(2, "a", "Drape"), row(3, "a", "Curtain")])
    assert verdicts(found) == [Verdict.UNCHANGED, Verdict.CHANGED, Verdict.CHANGED]
    numbers = [revision.content.name for revision in store.tables.revisions.values()]
    assert numbers == ["Curtain", "Drape", "Curtain"]


def test_provenance_alone_is_written_and_changes_nothing_else(store: MemoryStore, source: Source) -> None:
    here, there = (Provenance("openfoodfacts", f"https://world.example/{page}") for page in "12")
    first = IncomingRow(1, "a", Content("Brut"), provenance=here)
    run_import(store, source, [first])
    found = run_import(store, source, [IncomingRow(1, "a", Content("Brut"), provenance=there)])
    assert verdicts(found) == [Verdict.UNCHANGED]
    assert list(store.tables.provenances.values()) == [there]
    assert len(store.tables.revisions) == 1


def test_a_page_that_another_process_imported_meanwhile_is_refused_as_a_whole(
    store: MemoryStore, source: Source
) -> None:
    import_id = store.add_import(source.id)
    import_page(store.units, source.id, import_id, [row(1, "a")])
    with pytest.raises(Conflict):
        import_page(store.units, source.id, import_id, [row(1, "b")])
    assert [listing.external_id for listing in store.tables.listings.values()] == ["a"]
    assert store.tables.imports[import_id].run.row == 1


def test_a_dry_run_of_a_withdrawn_listing_says_changed(store: MemoryStore, source: Source) -> None:
    (first,) = run_import(store, source, [row(1)])
    assert first.listing_id is not None
    withdraw(store.units, first.listing_id)
    dry = DryRun(store.units, source.id).import_page([row(1)])
    assert dry == run_import(store, source, [row(1)])
    assert verdicts(dry) == [Verdict.CHANGED]


def test_a_dry_run_writes_nothing(store: MemoryStore, source: Source) -> None:
    run_import(store, source, [row(1, "a")])
    before, commits = store.tables, store.commits
    dry = DryRun(store.units, source.id)
    dry.import_page([row(1, "a", "Drape"), row(2, "b")])
    assert store.tables is before
    assert (store.commits, store.locked) == (commits, [["a"]])


def test_a_dry_run_has_no_listing_for_what_is_not_stored(store: MemoryStore, source: Source) -> None:
    (stored,) = run_import(store, source, [row(1, "a")])
    changed, new, again = DryRun(store.units, source.id).import_page([row(1, "a", "Drape"), row(2, "b"), row(3, "b")])
    assert (changed.listing_id, new.listing_id, again.listing_id) == (stored.listing_id, None, None)
    assert verdicts([changed, new, again]) == [Verdict.CHANGED, Verdict.NEW, Verdict.UNCHANGED]


def test_a_dry_run_of_ids_that_do_not_recur_forgets_pages(store: MemoryStore, source: Source) -> None:
    dry = DryRun(store.units, source.id, ids_recur=False)
    assert verdicts(dry.import_page([row(1, "a"), row(2, "a")])) == [Verdict.NEW, Verdict.UNCHANGED]
    assert verdicts(dry.import_page([row(3, "a")])) == [Verdict.NEW]


IDS = st.sampled_from(["a", "b", "c", "d", None])
CONTENTS = st.builds(
    Content,
    st.sampled_from(["Curtain", "Drape"]),
    images=st.sampled_from([(), ("1.jpg",), ("2.jpg",), ("1.jpg", "2.jpg")]),
)
PAGES = st.lists(st.lists(st.tuples(IDS, st.none() | CONTENTS), min_size=1, max_size=6), min_size=1, max_size=4)


def numbered(pages: list[list[tuple[str | None, Content | None]]]) -> list[list[IncomingRow]]:
    """Generated pages as pages of rows, numbered through."""
    numbered, number = [], 0
    for page in pages:
        rows = []
        for external_id, content in page:
            number += 1
            problem = None if content is not None else NO_NAME
            rows.append(IncomingRow(number, external_id, content, problem, NOTES if number % 3 else ()))
        numbered.append(rows)
    return numbered


@settings(max_examples=150, deadline=None)
@given(before=PAGES, withdrawn=st.sets(st.sampled_from("abcd")), pages=PAGES)
def test_a_dry_run_and_the_import_that_follows_agree_on_every_row(
    before: list[list[tuple[str | None, Content | None]]],
    withdrawn: set[str],
    pages: list[list[tuple[str | None, Content | None]]],
) -> None:
    store = MemoryStore()
    source = store.add_source("shop")
    run_import(store, source, *numbered(before))
    for listing in list(store.tables.listings.values()):
        if listing.external_id in withdrawn:
            withdraw(store.units, listing.id)
    known = set(store.tables.listings)
    dry = DryRun(store.units, source.id)
    expected = [verdict for page in numbered(pages) for verdict in dry.import_page(page)]
    imported = run_import(store, source, *numbered(pages))
    assert [without_new_listings(one, known) for one in imported] == expected


def without_new_listings(row: RowVerdict, known: set[int]) -> RowVerdict:
    listing_id = row.listing_id if row.listing_id in known else None
    return RowVerdict(row.number, row.external_id, row.verdict, listing_id, row.reason, row.notes)


def test_an_import_continues_at_the_row_after_its_last(store: MemoryStore, source: Source) -> None:
    import_id = store.add_import(source.id)
    import_page(store.units, source.id, import_id, [row(1, "a"), row(2, "b")])
    import_page(store.units, source.id, import_id, [row(3, "c")])
    assert store.tables.imports[import_id].run == ImportRun(
        import_id, 3, store.tables.imports[import_id].run.verdicts, 3
    )
