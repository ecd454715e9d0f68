"""One verdict rule: rows imported one by one, in pages and in bulk end with the same tables, as the dry run said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from infra.store.imports.bulk_import import encode_rows
from infra.store.imports.queries import list_verdicts
from infra.store.sql_fragments import notes_json, notes_text
from infra.store.unit_of_work import units_of_work
from pipeline.domain.import_run import ImportRequest, ImportStatus, IncomingRow, RowVerdict
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.product_source import Provenance
from pipeline.domain.reason import Reason, stored_notes
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import Source
from pipeline.domain.verdict import FirstRows
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.imports import DryRun, begin_import, end_import, import_page
from pipeline.steps.intake import accept, withdraw
from tests.integration.infra.store.imports.tables import import_tables
from tests.integration.records import add_source

IDS = ["a", "b", "c", "tab\tand\nline \\N \\.", "ستارة 🪟"]
PAGE = 5
CUT = Reason.of(ReasonCode.NAME_CUT, limit=2_000, size=2_001)
UNUSABLE = (Reason(ReasonCode.NAME_MISSING), Reason.of(ReasonCode.BARCODE_NOT_DIGITS, barcode="tab\tand \\N \x01"))


@dataclass(frozen=True)
class Row:
    """A row as it is generated: a usable one has a name."""

    external_id: str | None
    name: str | None
    photo: str | None
    page_at_source: str | None
    notes: tuple[Reason, ...]


@dataclass(frozen=True)
class Import:
    """A file or an export; with ``latest_wins`` every row of an id counts, else the first usable one."""

    rows: tuple[Row, ...]
    latest_wins: bool


@dataclass(frozen=True)
class Between:
    """What happens to listings between imports."""

    withdrawn: frozenset[str]
    deleted: frozenset[str]
    posted: tuple[tuple[str, str], ...]
    jobs_done: frozenset[str]


ROWS = st.builds(
    Row,
    external_id=st.sampled_from(["a", "a", *IDS, None]),
    name=st.sampled_from(["Curtain", "Drape \x01\x02", None]),
    photo=st.sampled_from([None, "https://images.example/1.jpg", "https://images.example/2.jpg"]),
    page_at_source=st.sampled_from([None, "https://world.example/1", "https://world.example/2"]),
    notes=st.sampled_from(
        [(), (Reason(ReasonCode.NUL_REMOVED),), (Reason.other("mended"),), (CUT, Reason.other("as it \x00came"))]
    ),
)
IMPORTS = st.builds(Import, rows=st.lists(ROWS, min_size=1, max_size=12).map(tuple), latest_wins=st.booleans())
SETS = st.frozensets(st.sampled_from(IDS), max_size=3)
BETWEEN = st.builds(
    Between,
    withdrawn=SETS,
    deleted=SETS,
    posted=st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(["Curtain", "Ours"])), max_size=2).map(tuple),
    jobs_done=SETS,
)


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking would import for minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(imports=st.lists(IMPORTS, min_size=2, max_size=3), between=st.lists(BETWEEN, min_size=3, max_size=3))
def test_single_rows_pages_and_bulk_give_the_same_tables_and_the_dry_run_the_same_verdicts(
    engine: Engine, imports: list[Import], between: list[Between]
) -> None:
    ways = [OneByOne(engine), InPages(engine), InBulk(engine)]
    for given_import, afterwards in zip(imports, between, strict=False):
        expected = [way.dry_run(incoming(given_import)) for way in ways]
        found = [way.run(given_import) for way in ways]
        assert expected[0] == expected[1] == expected[2]
        assert found == expected
        one_by_one, in_pages, in_bulk = (way.tables() for way in ways)
        assert in_bulk == in_pages
        # Within a page, the jobs of an id's second rows come after those of all first rows.
        for tables in (one_by_one, in_pages):
            tables["jobs"].sort(key=repr)
        assert in_pages == one_by_one
        for way in ways:
            way.pass_time(afterwards)


def incoming(generated: Import, *, reject_repeated: bool = True) -> list[IncomingRow]:
    """The rows as a reader gives them: where the first usable row of an id wins, it may reject the others."""
    first_rows, rows = FirstRows(), []
    for number, row in enumerate(generated.rows, 1):
        content = None if row.name is None else Content(row.name, images=(row.photo,) if row.photo else ())
        problem = UNUSABLE[number % 2] if content is None else None
        if content is not None and row.external_id is not None and not generated.latest_wins and reject_repeated:
            first = first_rows.add(row.external_id, number)
            if first != number:
                content, problem = None, Reason.of(ReasonCode.SAME_ID, row=first)
        provenance = Provenance("openfoodfacts", row.page_at_source) if row.page_at_source else None
        rows.append(IncomingRow(number, row.external_id, content, problem, row.notes, provenance))
    return rows


class Way:
    """A way to import rows, into a source of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._units: UnitsOfWork = units_of_work(engine)
        with engine.connect() as connection:
            number = connection.scalar(text("SELECT count(*) FROM sources"))
        self._source: Source = add_source(engine, f"{type(self).__name__} {number}")

    def dry_run(self, rows: Sequence[IncomingRow]) -> list[RowVerdict]:
        """The verdicts that an import of these rows would give."""
        dry = DryRun(self._units, self._source.id)
        return [plain(verdict) for page in pages(rows) for verdict in dry.import_page(page)]

    def run(self, generated: Import) -> list[RowVerdict]:
        """Import the rows; returns the stored verdicts."""
        with self._units() as unit:
            import_id = begin_import(unit, ImportRequest(self._source.id, "test", "test"))
            unit.commit()
        assert import_id is not None
        self.import_rows(import_id, generated)
        end_import(self._units, import_id, ImportStatus.DONE)
        with self._engine.connect() as connection:
            return [plain(verdict) for verdict in list_verdicts(connection, import_id, None, 0, 1_000)]

    def import_rows(self, import_id: int, generated: Import) -> None:
        """Import rows in this way."""
        raise NotImplementedError

    def pass_time(self, between: Between) -> None:
        """Let happen what happens between imports."""
        for external_id in sorted(between.withdrawn & self._ids().keys()):
            withdraw(self._units, self._ids()[external_id])
        with self._engine.begin() as connection:
            ids = {"ids": sorted(between.deleted), "source": self._source.id}
            connection.execute(text("DELETE FROM listings WHERE source_id = :source AND external_id = ANY(:ids)"), ids)
            ids["ids"] = sorted(between.jobs_done)
            connection.execute(
                text(
                    "UPDATE jobs SET state = 'done', ended_at = now() FROM listings l WHERE l.id = listing_id "
                    "AND state = 'waiting' AND l.source_id = :source AND l.external_id = ANY(:ids)"
                ),
                ids,
            )
        for external_id, name in between.posted:
            accept(self._units, self._source.id, [Submission(external_id, Content(name))], Priority.PIPELINE)

    def tables(self) -> dict[str, list[Any]]:
        """Everything that belongs to the source."""
        with self._engine.connect() as connection:
            return import_tables(connection, self._source.id)

    def _ids(self) -> dict[str, int]:
        with self._units() as unit:
            return {key: now.listing_id for key, now in unit.listings.current(self._source.id, IDS).items()}


class OneByOne(Way):
    """A page for each row."""

    def import_rows(self, import_id: int, generated: Import) -> None:
        for row in incoming(generated):
            import_page(self._units, self._source.id, import_id, [row])


class InPages(Way):
    """Pages of a few rows."""

    def import_rows(self, import_id: int, generated: Import) -> None:
        for page in pages(incoming(generated)):
            import_page(self._units, self._source.id, import_id, page)


class InBulk(Way):
    """Pages in bulk, whose SQL rejects repeated ids by itself."""

    def import_rows(self, import_id: int, generated: Import) -> None:
        for page in pages(incoming(generated, reject_repeated=False)):
            with self._units() as unit:
                encoded = encode_rows(page, latest_wins=generated.latest_wins)
                unit.imports.add_encoded_rows(self._source.id, import_id, encoded)
                unit.commit()


def pages(rows: Sequence[IncomingRow]) -> Iterator[Sequence[IncomingRow]]:
    for start in range(0, len(rows), PAGE):
        yield rows[start : start + PAGE]


def plain(verdict: RowVerdict) -> RowVerdict:
    """The verdict without the id of its listing, which differs from way to way, as it can be stored."""
    note = notes_text(verdict.notes)
    return replace(verdict, listing_id=None, notes=stored_notes(notes_json(verdict.notes), note))
