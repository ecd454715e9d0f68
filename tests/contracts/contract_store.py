"""The interface of a store for contract tests: its units of work, what a test may set up, and what it looks at."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pipeline.domain.import_run import RowVerdict
from pipeline.domain.job import JobKind
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.source import Source
from pipeline.ports.repositories import ImportLocks
from pipeline.ports.unit_of_work import UnitsOfWork


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


class JobDetail(NamedTuple):
    """A job with its counts."""

    state: str
    attempt: int
    failures: int
    note: str | None
    progress: float | None
    worker: str | None


class DecisionSeen(NamedTuple):
    """A decision of a revision."""

    revision_id: int
    model_id: int | None
    category: str | None
    provisional: bool


class ContractStore(Protocol):
    """A store to run use cases on, and to look into."""

    @property
    def units(self) -> UnitsOfWork:
        """Units of work on the store."""
        ...

    @property
    def locks(self) -> ImportLocks:
        """Locks of imports."""
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

    def add_long_job(self, kind: JobKind) -> int:
        """A waiting long job."""
        ...

    def activate_model(self, taxonomy_id: int) -> ActiveModel:
        """A new model version that is the active one of a taxonomy."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Let time pass for jobs, workers, collections and imports."""
        ...

    def relay_was_woken(self) -> bool:
        """Whether the relay was woken since this was asked last."""
        ...

    def workers(self) -> list[str]:
        """The names of all workers."""
        ...

    def job(self, job_id: int) -> JobDetail:
        """One job."""
        ...

    def attempts(self) -> list[tuple[int, str | None, str | None]]:
        """Number, outcome and error of every attempt, by job."""
        ...

    def dead_letters(self) -> list[tuple[int, int, str, bool]]:
        """Id, job, reason, and whether it was replayed."""
        ...

    def decisions(self) -> list[DecisionSeen]:
        """Every decision."""
        ...

    def predicted(self) -> list[tuple[int, int | None, str]]:
        """Revision, model version and modality of every prediction."""
        ...

    def images(self) -> list[tuple[str, str, str | None]]:
        """Reference, status and storage key of every image."""
        ...

    def listing(self, external_id: str) -> tuple[str, str | None]:
        """The status and category that lists show of a listing."""
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

    def import_note(self, import_id: int) -> str | None:
        """Why an import ended."""
        ...

    def import_rows(self, import_id: int) -> list[RowVerdict]:
        """The verdicts of an import, with listing ids left out."""
        ...

    def purge_verdict(self, import_id: int, number: int) -> None:
        """Delete the verdict of a row, as retention does."""
        ...

    def vanished(self, import_id: int) -> list[str] | None:
        """External ids of the products that vanished in an import; None where that is unknown."""
        ...
