"""The stores that the contract tests run on, with what the tests look at afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine, text

from infra.store.keys.repository import create_key
from infra.store.taxonomies.repository import ensure_source
from infra.store.unit_of_work import units_of_work
from pipeline.domain.import_run import RowVerdict
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.ports.unit_of_work import UnitsOfWork
from tests.fakes.unit_of_work import MemoryStore


class JobSeen(NamedTuple):
    """A job of a listing, in the order of ids."""

    external_id: str
    revision: int
    priority: str
    state: str
    note: str | None


class ImportSeen(NamedTuple):
    """The state and counts of an import."""

    status: str
    row: int
    new: int
    changed: int
    unchanged: int
    rejected: int
    without_photo: int


class ContractStore(Protocol):
    """A store to run use cases on, and to look into."""

    @property
    def units(self) -> UnitsOfWork:
        """Units of work on the store."""
        ...

    def add_source(self, name: str) -> Source:
        """A new source."""
        ...

    def add_key(self) -> int:
        """The id of a new API key."""
        ...

    def add_import(self, source_id: int) -> int:
        """A running import without rows."""
        ...

    def jobs(self) -> list[JobSeen]:
        """Jobs of listings."""
        ...

    def contents(self) -> list[tuple[str, int, str, tuple[str, ...]]]:
        """External id, number, name and images of every revision."""
        ...

    def withdrawn(self) -> list[str]:
        """External ids of withdrawn listings."""
        ...

    def provenances(self) -> list[tuple[str, str, str]]:
        """External id, database and address of collected listings."""
        ...

    def import_state(self, import_id: int) -> ImportSeen:
        """The state of an import."""
        ...

    def import_rows(self, import_id: int) -> list[RowVerdict]:
        """The verdicts of an import, with listing ids left out."""
        ...


class InMemory(MemoryStore):
    """The fakes."""

    def add_key(self) -> int:
        """The id of a new API key."""
        return self.tables.next_id()

    def jobs(self) -> list[JobSeen]:
        """Jobs of listings."""
        tables = self.tables
        return [
            JobSeen(
                tables.listings[job.listing_id].external_id,
                tables.revisions[job.revision_id].number,
                job.priority.value,
                job.state.value,
                job.note,
            )
            for job in tables.jobs.values()
            if job.listing_id is not None and job.revision_id is not None
        ]

    def contents(self) -> list[tuple[str, int, str, tuple[str, ...]]]:
        """External id, number, name and images of every revision."""
        return sorted(
            (self.tables.listings[one.listing_id].external_id, one.number, one.content.name, tuple(one.content.images))
            for one in self.tables.revisions.values()
        )

    def withdrawn(self) -> list[str]:
        """External ids of withdrawn listings."""
        return sorted(one.external_id for one in self.tables.listings.values() if one.withdrawn)

    def provenances(self) -> list[tuple[str, str, str]]:
        """External id, database and address of collected listings."""
        return sorted(
            (self.tables.listings[listing_id].external_id, one.source, one.address)
            for listing_id, one in self.tables.provenances.items()
        )

    def import_state(self, import_id: int) -> ImportSeen:
        """The state of an import."""
        stored = self.tables.imports[import_id]
        new, changed, unchanged, rejected = (stored.run.verdicts[verdict] for verdict in Verdict)
        return ImportSeen(
            stored.status.value, stored.run.row, new, changed, unchanged, rejected, stored.run.without_photo
        )

    def import_rows(self, import_id: int) -> list[RowVerdict]:
        """The verdicts of an import, with listing ids left out."""
        found = [row for (owner, _), row in sorted(self.tables.import_rows.items()) if owner == import_id]
        return [RowVerdict(r.number, r.external_id, r.verdict, None, r.reason, r.note) for r in found]


class OnPostgres:
    """The real repositories."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def units(self) -> UnitsOfWork:
        """Units of work on the store."""
        return units_of_work(self._engine)

    def add_source(self, name: str) -> Source:
        """A new source."""
        with self._engine.begin() as connection:
            return ensure_source(connection, name)

    def add_key(self) -> int:
        """The id of a new API key."""
        with self._engine.begin() as connection:
            return create_key(connection, "seller", ["submit"]).id

    def add_import(self, source_id: int) -> int:
        """A running import without rows."""
        with self._engine.begin() as connection:
            statement = "INSERT INTO imports (source_id, origin, status) VALUES (:id, 'test', 'running') RETURNING id"
            return int(connection.execute(text(statement), {"id": source_id}).scalar_one())

    def jobs(self) -> list[JobSeen]:
        """Jobs of listings."""
        rows = self._rows(
            """
            SELECT l.external_id, r.number, CAST(j.priority AS text), CAST(j.state AS text), j.note
            FROM jobs j JOIN listings l ON l.id = j.listing_id JOIN revisions r ON r.id = j.revision_id ORDER BY j.id
            """
        )
        return [JobSeen(*row) for row in rows]

    def contents(self) -> list[tuple[str, int, str, tuple[str, ...]]]:
        """External id, number, name and images of every revision."""
        rows = self._rows(
            """
            SELECT l.external_id, r.number, r.name,
                   ARRAY(SELECT reference FROM images WHERE revision_id = r.id ORDER BY position)
            FROM revisions r JOIN listings l ON l.id = r.listing_id
            """
        )
        return sorted((external_id, number, name, tuple(images)) for external_id, number, name, images in rows)

    def withdrawn(self) -> list[str]:
        """External ids of withdrawn listings."""
        return sorted(row[0] for row in self._rows("SELECT external_id FROM listings WHERE withdrawn_at IS NOT NULL"))

    def provenances(self) -> list[tuple[str, str, str]]:
        """External id, database and address of collected listings."""
        rows = self._rows(
            "SELECT l.external_id, p.database, p.address FROM provenances p JOIN listings l ON l.id = p.listing_id"
        )
        return sorted((external_id, database, address) for external_id, database, address in rows)

    def import_state(self, import_id: int) -> ImportSeen:
        """The state of an import."""
        (row,) = self._rows(
            "SELECT CAST(status AS text), coalesce(CAST(cursor ->> 'row' AS integer), 0), new, changed, unchanged, "
            f"rejected, without_photo FROM imports WHERE id = {import_id}"
        )
        return ImportSeen(*row)

    def import_rows(self, import_id: int) -> list[RowVerdict]:
        """The verdicts of an import, with listing ids left out."""
        rows = self._rows(
            "SELECT number, external_id, CAST(verdict AS text), reason, note FROM import_rows "
            f"WHERE import_id = {import_id} ORDER BY number"
        )
        return [
            RowVerdict(number, known, Verdict(verdict), None, why, note) for number, known, verdict, why, note in rows
        ]

    def _rows(self, statement: str) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
