"""The two stores that contract tests run on: the in-memory fakes, and Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text

from infra.store.imports.repository import import_locks
from infra.store.notify_channels import WAKE_CHANNEL
from infra.store.unit_of_work import units_of_work
from pipeline.domain.api_key import KeyRequest
from pipeline.domain.import_run import RowVerdict
from pipeline.domain.job import JobKind, Priority, queue_of
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.reason import Reason, stored_notes
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.ports.repositories import ImportLocks
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.keys import create_key
from tests.contracts.contract_store import DecisionSeen, ImportSeen, JobDetail, JobSeen
from tests.fakes.unit_of_work import MemoryStore
from tests.integration.records import add_source

AGE_IMPORTS = """
    UPDATE imports SET started_at = started_at - make_interval(secs => :seconds),
           cursor = cursor || CASE WHEN cursor ? 'at' THEN jsonb_build_object(
               'at', CAST(cursor ->> 'at' AS timestamptz) - make_interval(secs => :seconds)) ELSE '{}' END
"""


class InMemory(MemoryStore):
    """The fakes."""

    def __init__(self) -> None:
        super().__init__()
        self._notified = 0

    def relay_was_woken(self) -> bool:
        """Whether the relay was woken since this was asked last."""
        before, self._notified = self._notified, self.tables.relay_notified
        return self._notified > before

    def workers(self) -> list[str]:
        """The names of all workers."""
        return sorted(self.tables.workers)

    def job(self, job_id: int) -> JobDetail:
        """One job."""
        job = self.tables.jobs[job_id]
        return JobDetail(job.state.value, job.attempt, job.failures, job.note, job.progress, job.worker)

    def attempts(self) -> list[tuple[int, str | None, str | None]]:
        """Number, outcome and error of every attempt, by job."""
        return [(one.attempt, one.outcome, one.error) for _, one in sorted(self.tables.attempts.items())]

    def dead_letters(self) -> list[tuple[int, int, str, bool]]:
        """Id, job, reason, and whether it was replayed."""
        return [(letter.id, letter.job_id, letter.reason, letter.replayed) for letter in self.tables.dead_letters]

    def decisions(self) -> list[DecisionSeen]:
        """Every decision."""
        return [
            DecisionSeen(revision_id, model_id, decision.category, decision.provisional)
            for (revision_id, model_id), decision in self.tables.decisions.items()
        ]

    def predicted(self) -> list[tuple[int, int | None, str]]:
        """Revision, model version and modality of every prediction."""
        return sorted((revision, model, modality.value) for revision, model, modality in self.tables.predictions)

    def images(self) -> list[tuple[str, str, str | None]]:
        """Reference, status and storage key of every image."""
        return [(one.reference, one.status.value, one.storage_key) for one in self.tables.images.values()]

    def listing(self, external_id: str) -> tuple[str, str | None]:
        """The status and category that lists show of a listing."""
        (listing,) = [one for one in self.tables.listings.values() if one.external_id == external_id]
        return listing.status, listing.category

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
        new, changed, unchanged, rejected, _ = (stored.run.verdicts[verdict] for verdict in Verdict)
        return ImportSeen(
            stored.status.value, stored.run.row, new, changed, unchanged, rejected, stored.run.without_photo
        )

    def import_rows(self, import_id: int) -> list[RowVerdict]:
        """The verdicts of an import, with listing ids left out."""
        found = [row for (owner, _), row in sorted(self.tables.import_rows.items()) if owner == import_id]
        return [RowVerdict(r.number, r.external_id, r.verdict, None, r.reason, r.notes) for r in found]

    def import_note(self, import_id: int) -> str | None:
        """Why an import ended."""
        return self.tables.imports[import_id].note

    def purge_verdict(self, import_id: int, number: int) -> None:
        """Delete the verdict of a row, as retention does."""
        del self.tables.import_rows[(import_id, number)]

    def vanished(self, import_id: int) -> list[str] | None:
        """External ids of the products that vanished in an import; None where that is unknown."""
        vanished = self.tables.imports[import_id].vanished
        return None if vanished is None else [row.external_id or "" for row in vanished]


class OnPostgres:
    """The real repositories."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listener = engine.raw_connection()
        assert self._listener.dbapi_connection is not None
        self._listener.dbapi_connection.autocommit = True
        self._listener.cursor().execute(f"LISTEN {WAKE_CHANNEL}")

    def close(self) -> None:
        """Close all connections."""
        self._listener.invalidate()
        self._engine.dispose()

    def relay_was_woken(self) -> bool:
        """Whether the relay was woken since this was asked last."""
        session = self._listener.driver_connection
        assert session is not None
        # What was sent by transactions that have ended comes before the answer to the next statement.
        self._listener.cursor().execute("SELECT 1")
        session.poll()
        woken = bool(session.notifies)
        session.notifies.clear()
        return woken

    def workers(self) -> list[str]:
        """The names of all workers."""
        return [row[0] for row in self.rows("SELECT name FROM workers ORDER BY name")]

    def add_long_job(self, kind: JobKind) -> int:
        """A waiting long job."""
        statement = (
            "INSERT INTO jobs (kind, priority, queue) "
            "VALUES (CAST(:kind AS job_kind), 'pipeline', CAST(:queue AS queue)) RETURNING id"
        )
        with self._engine.begin() as connection:
            queue = queue_of(kind, Priority.PIPELINE)
            return int(connection.execute(text(statement), {"kind": kind, "queue": queue}).scalar_one())

    def activate_model(self, taxonomy_id: int) -> ActiveModel:
        """A new model version that is the active one of a taxonomy."""
        statement = """
            WITH added AS (
                INSERT INTO model_versions (taxonomy_id, number, status, manifest)
                SELECT :taxonomy, coalesce(max(number), 0) + 1, 'candidate', '{"artefacts": "artefacts", "files": {}}'
                FROM model_versions WHERE taxonomy_id = :taxonomy RETURNING id
            )
            UPDATE taxonomies SET active_model_id = added.id FROM added WHERE taxonomies.id = :taxonomy
            RETURNING added.id
        """
        with self._engine.begin() as connection:
            model_id = int(connection.execute(text(statement), {"taxonomy": taxonomy_id}).scalar_one())
        return ActiveModel(model_id, "artefacts", {})

    def pass_time(self, seconds: float) -> None:
        """Let time pass for jobs, workers, collections and imports."""
        passed = {"seconds": seconds}
        columns = {
            "jobs": ("created_at", "not_before", "deadline", "leased_at"),
            "workers": ("seen_at",),
            "collections": ("next_at",),
        }
        with self._engine.begin() as connection:
            for table, names in columns.items():
                changes = ", ".join(f"{name} = {name} - make_interval(secs => :seconds)" for name in names)
                connection.execute(text(f"UPDATE {table} SET {changes}"), passed)
            connection.execute(text(AGE_IMPORTS), passed)

    def job(self, job_id: int) -> JobDetail:
        """One job."""
        (row,) = self.rows(
            f"SELECT CAST(state AS text), attempt, failures, note, progress, worker FROM jobs WHERE id = {job_id}"
        )
        return JobDetail(*row)

    def attempts(self) -> list[tuple[int, str | None, str | None]]:
        """Number, outcome and error of every attempt, by job."""
        return list(self.rows("SELECT attempt, CAST(outcome AS text), error FROM attempts ORDER BY job_id, attempt"))

    def dead_letters(self) -> list[tuple[int, int, str, bool]]:
        """Id, job, reason, and whether it was replayed."""
        return list(self.rows("SELECT id, job_id, reason, replayed_at IS NOT NULL FROM dead_letters ORDER BY id"))

    def decisions(self) -> list[DecisionSeen]:
        """Every decision."""
        rows = self.rows("SELECT revision_id, model_id, category, provisional FROM decisions ORDER BY id")
        return [DecisionSeen(*row) for row in rows]

    def predicted(self) -> list[tuple[int, int | None, str]]:
        """Revision, model version and modality of every prediction."""
        return list(self.rows("SELECT revision_id, model_id, CAST(modality AS text) FROM predictions ORDER BY 1, 2, 3"))

    def images(self) -> list[tuple[str, str, str | None]]:
        """Reference, status and storage key of every image."""
        return list(self.rows("SELECT reference, CAST(status AS text), storage_key FROM images ORDER BY id"))

    def listing(self, external_id: str) -> tuple[str, str | None]:
        """The status and category that lists show of a listing."""
        rows = self.rows(f"SELECT CAST(status AS text), category FROM listings WHERE external_id = '{external_id}'")
        ((status, category),) = rows
        return status, category

    @property
    def units(self) -> UnitsOfWork:
        """Units of work on the store."""
        return units_of_work(self._engine)

    @property
    def locks(self) -> ImportLocks:
        """Locks of imports."""
        return import_locks(self._engine)

    def add_source(self, name: str) -> Source:
        """A new source."""
        return add_source(self._engine, name)

    def add_key(self) -> int:
        """The id of a new API key."""
        return create_key(self.units, KeyRequest.of("seller", ["submit"])).key.id

    def add_import(self, source_id: int) -> int:
        """A running import without rows."""
        with self._engine.begin() as connection:
            statement = "INSERT INTO imports (source_id, origin, status) VALUES (:id, 'test', 'running') RETURNING id"
            return int(connection.execute(text(statement), {"id": source_id}).scalar_one())

    def jobs(self) -> list[JobSeen]:
        """Jobs of listings."""
        rows = self.rows(
            """
            SELECT l.external_id, r.number, CAST(j.priority AS text), CAST(j.state AS text), j.note
            FROM jobs j JOIN listings l ON l.id = j.listing_id JOIN revisions r ON r.id = j.revision_id ORDER BY j.id
            """
        )
        return [JobSeen(*row) for row in rows]

    def contents(self) -> list[tuple[str, int, str, tuple[str, ...]]]:
        """External id, number, name and images of every revision."""
        rows = self.rows(
            """
            SELECT l.external_id, r.number, r.name,
                   ARRAY(SELECT reference FROM images WHERE revision_id = r.id ORDER BY position)
            FROM revisions r JOIN listings l ON l.id = r.listing_id
            """
        )
        return sorted((external_id, number, name, tuple(images)) for external_id, number, name, images in rows)

    def withdrawn(self) -> list[str]:
        """External ids of withdrawn listings."""
        return sorted(row[0] for row in self.rows("SELECT external_id FROM listings WHERE withdrawn_at IS NOT NULL"))

    def provenances(self) -> list[tuple[str, str, str]]:
        """External id, database and address of collected listings."""
        rows = self.rows(
            "SELECT l.external_id, p.database, p.address FROM provenances p JOIN listings l ON l.id = p.listing_id"
        )
        return sorted((external_id, database, address) for external_id, database, address in rows)

    def import_state(self, import_id: int) -> ImportSeen:
        """The state of an import."""
        (row,) = self.rows(
            "SELECT CAST(status AS text), coalesce(CAST(cursor ->> 'row' AS integer), 0), new, changed, unchanged, "
            f"rejected, without_photo FROM imports WHERE id = {import_id}"
        )
        return ImportSeen(*row)

    def import_rows(self, import_id: int) -> list[RowVerdict]:
        """The verdicts of an import, with listing ids left out."""
        rows = self.rows(
            "SELECT number, external_id, CAST(verdict AS text), reason, coded_reason, note, coded_notes "
            f"FROM import_rows WHERE import_id = {import_id} ORDER BY number"
        )
        return [
            RowVerdict(
                number,
                known,
                Verdict(verdict),
                None,
                None if why is None else Reason.stored(coded, why),
                stored_notes(coded_notes, note),
            )
            for number, known, verdict, why, coded, note, coded_notes in rows
        ]

    def import_note(self, import_id: int) -> str | None:
        """Why an import ended."""
        ((note,),) = self.rows(f"SELECT note FROM imports WHERE id = {import_id}")
        return None if note is None else str(note)

    def purge_verdict(self, import_id: int, number: int) -> None:
        """Delete the verdict of a row, as retention does."""
        with self._engine.begin() as connection:
            wanted = {"id": import_id, "number": number}
            connection.execute(text("DELETE FROM import_rows WHERE import_id = :id AND number = :number"), wanted)

    def vanished(self, import_id: int) -> list[str] | None:
        """External ids of the products that vanished in an import; None where that is unknown."""
        ((count,),) = self.rows(f"SELECT vanished FROM imports WHERE id = {import_id}")
        found = self.rows(
            f"SELECT external_id FROM import_differences WHERE import_id = {import_id} AND kind = 'vanished' "
            "ORDER BY number"
        )
        assert count in (None, len(found))
        return None if count is None else [row[0] for row in found]

    def rows(self, statement: str) -> Sequence[Any]:
        """The rows of a query."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def write(self, statement: str) -> None:
        """Execute a statement and commit."""
        with self._engine.begin() as connection:
            connection.execute(text(statement))
