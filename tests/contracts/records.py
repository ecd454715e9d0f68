"""What contract tests look at in a store, of what people set up and decide."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pipeline.domain.job import JobState
from tests.contracts.stores import InMemory, OnPostgres


class RuleSeen(NamedTuple):
    """A rule."""

    source_category: str
    category: str | None
    status: str
    decided_by: str | None
    support: int


class CollectionSeen(NamedTuple):
    """A collection."""

    id: int
    schedule: str | None
    paused: bool
    has_next_time: bool


class LongJobSeen(NamedTuple):
    """A job that is not of a listing."""

    kind: str
    priority: str
    state: str
    payload: dict[str, object]


class Records(Protocol):
    """The records of a store."""

    def rules(self, source_id: int) -> list[RuleSeen]:
        """The rules of a source, by their two sides."""
        ...

    def collections(self) -> list[CollectionSeen]:
        """Every collection."""
        ...

    def api_keys(self) -> list[tuple[int, str, bool]]:
        """Id, hash of the secret, and whether it was revoked, of every key."""
        ...

    def models(self, taxonomy_id: int) -> list[tuple[int, int, str]]:
        """Id, number and status of the model versions of a taxonomy."""
        ...

    def long_jobs(self) -> list[LongJobSeen]:
        """Every long job."""
        ...

    def end_long_jobs(self) -> None:
        """End the open long jobs as done."""
        ...


class MemoryRecords:
    """The records of the fakes."""

    def __init__(self, store: InMemory) -> None:
        self._store = store

    def rules(self, source_id: int) -> list[RuleSeen]:
        """The rules of a source, by their two sides."""
        rules = [
            RuleSeen(rule.source_category, rule.category, rule.status.value, rule.decided_by, rule.support)
            for rule in self._store.tables.rules.values()
            if rule.source_id == source_id
        ]
        return _in_order(rules)

    def collections(self) -> list[CollectionSeen]:
        """Every collection."""
        return [
            CollectionSeen(stored.id, stored.schedule, stored.paused, stored.next_at is not None)
            for stored in self._store.tables.collections.values()
        ]

    def api_keys(self) -> list[tuple[int, str, bool]]:
        """Id, hash of the secret, and whether it was revoked, of every key."""
        return [(key.id, key.secret_hash, key.revoked) for key in self._store.tables.keys.values()]

    def models(self, taxonomy_id: int) -> list[tuple[int, int, str]]:
        """Id, number and status of the model versions of a taxonomy."""
        return [
            (model.id, model.number, model.status.value)
            for model in self._store.tables.models.values()
            if model.taxonomy_id == taxonomy_id
        ]

    def long_jobs(self) -> list[LongJobSeen]:
        """Every long job."""
        return [
            LongJobSeen(job.kind.value, job.priority.value, job.state.value, job.payload)
            for job in self._store.tables.jobs.values()
            if job.listing_id is None
        ]

    def end_long_jobs(self) -> None:
        """End the open long jobs as done."""
        for job in self._store.tables.jobs.values():
            if job.listing_id is None:
                job.state = JobState.DONE


class PostgresRecords:
    """The records of a database."""

    def __init__(self, store: OnPostgres) -> None:
        self._store = store

    def rules(self, source_id: int) -> list[RuleSeen]:
        """The rules of a source, by their two sides."""
        rows = self._store.rows(
            "SELECT u.source_category, c.path, CAST(u.status AS text), u.decided_by, u.support "
            f"FROM category_rules u LEFT JOIN categories c ON c.id = u.category_id WHERE u.source_id = {source_id}"
        )
        return _in_order([RuleSeen(*row) for row in rows])

    def collections(self) -> list[CollectionSeen]:
        """Every collection."""
        rows = self._store.rows("SELECT id, schedule, paused, next_at IS NOT NULL FROM collections ORDER BY id")
        return [CollectionSeen(*row) for row in rows]

    def api_keys(self) -> list[tuple[int, str, bool]]:
        """Id, hash of the secret, and whether it was revoked, of every key."""
        return list(self._store.rows("SELECT id, hash, revoked_at IS NOT NULL FROM api_keys ORDER BY id"))

    def models(self, taxonomy_id: int) -> list[tuple[int, int, str]]:
        """Id, number and status of the model versions of a taxonomy."""
        return list(
            self._store.rows(
                "SELECT id, number, CAST(status AS text) FROM model_versions "
                f"WHERE taxonomy_id = {taxonomy_id} ORDER BY id"
            )
        )

    def long_jobs(self) -> list[LongJobSeen]:
        """Every long job."""
        rows = self._store.rows(
            "SELECT CAST(kind AS text), CAST(priority AS text), CAST(state AS text), payload FROM jobs "
            "WHERE listing_id IS NULL ORDER BY id"
        )
        return [LongJobSeen(*row) for row in rows]

    def end_long_jobs(self) -> None:
        """End the open long jobs as done."""
        self._store.write("UPDATE jobs SET state = 'done', ended_at = now() WHERE listing_id IS NULL")


def _in_order(rules: list[RuleSeen]) -> list[RuleSeen]:
    return sorted(rules, key=lambda rule: (rule.source_category, rule.category or ""))
