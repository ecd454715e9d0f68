"""Repositories of administration: sources, rules, collections, keys, models, long jobs, dead letters, retention.

Each works within the transaction of its unit of work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pipeline.domain.api_key import ApiKey, KeyRequest
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.collection import Collection, CollectionRequest
from pipeline.domain.job import JobKind, OpenDeadLetter, Priority
from pipeline.domain.retention import ExpiringRows
from pipeline.domain.rule import Rule, RuleStatus
from pipeline.domain.rule_proposal import RuleProposal
from pipeline.domain.source import Source


class SourceRepository(Protocol):
    """Sources, their taxonomies, and the categories of these."""

    def find(self, name: str) -> Source | None:
        """The source of this name, or None."""
        ...

    def add(self, name: str, taxonomy: str) -> Source:
        """Add a source and its taxonomy where they are missing; returns the source of this name."""
        ...

    def lock(self, source_id: int) -> None:
        """Lock the source until the unit ends, so that one unit at a time changes its rules or starts its imports.

        Intake of listings does not wait for it. NotFound when there is no such source.
        """
        ...

    def taxonomies_with_model(self) -> list[str]:
        """Names of the taxonomies that have an active model version; the first two are enough."""
        ...

    def has_category(self, source_id: int, path: str) -> bool:
        """Whether a source's taxonomy has the category of this path."""
        ...

    def category_paths(self, source_id: int) -> list[str]:
        """The paths of the categories of a source's taxonomy."""
        ...

    def add_categories(self, source_id: int, paths: Iterable[str]) -> None:
        """Add categories, and those above them, to a source's taxonomy where they are missing."""
        ...


class RuleRepository(Protocol):
    """Rules of sources, and the jobs that propose them."""

    def find(self, rule_id: int) -> Rule | None:
        """The rule, or None."""
        ...

    def put(
        self, source_id: int, source_category: str, category: str | None, status: RuleStatus, decided_by: str
    ) -> int:
        """Write a decided rule, new or in place of the one with the same two sides; returns its id."""
        ...

    def reopen(self, rule_id: int) -> bool:
        """Make a rule a proposal again; False when it is gone."""
        ...

    def refuse_accepted(self, source_id: int, source_category: str, except_for: str | None, decided_by: str) -> None:
        """Refuse the accepted rule of a source's category, unless it means the category ``except_for``."""
        ...

    def delete_proposals(self, source_id: int, source_category: str, except_for: str | None) -> None:
        """Delete the proposals for a source's category, except one that means the category ``except_for``."""
        ...

    def accept_above(self, source_id: int, score: float, decided_by: str) -> int:
        """Accept the proposals of at least this score; returns how many.

        Of several for one category the best is accepted, and none where a rule is accepted already.
        """
        ...

    def replace_proposals(self, source_id: int, proposals: Sequence[RuleProposal]) -> int:
        """Delete all proposals of a source and add these; returns how many were added.

        Left out are those for a category that has an accepted rule, those with the two sides of a refused rule, and
        those that mean a category the taxonomy does not have.
        """
        ...

    def update_support(self, source_id: int, support: Mapping[str, int]) -> None:
        """Write the number of listings of each of these categories to its rules."""
        ...

    def find_proposal_job(self, source_id: int, *, with_running: bool) -> int | None:
        """An open job that proposes rules for a source; without running ones it will see what is new now."""
        ...

    def add_proposal_job(self, source_id: int, requested_by: str | None, unique_key: str | None = None) -> int | None:
        """Add a job that proposes rules for a source; None when the unique key is taken.

        A job without ``requested_by`` starts after about as many decisions as jobs are waiting now, or after an hour.
        """
        ...

    def source_with_new_categories(self, import_id: int) -> int | None:
        """The source of an import from a product database that brought categories without any rule, else None."""
        ...

    def sources_to_decide(self, taxonomy_id: int) -> list[int]:
        """The sources of a taxonomy with proposals, or with collected listings and no rule at all."""
        ...


class CollectionRepository(Protocol):
    """Collections: queries to product databases with a schedule."""

    def lock(self, collection_id: int, source_ids: frozenset[int] | None) -> Collection:
        """A collection into one of these sources (None: all), locked; NotFound when there is none."""
        ...

    def find_same(self, request: CollectionRequest) -> Collection | None:
        """The collection of the same query into the same source, locked, or None."""
        ...

    def add(self, request: CollectionRequest) -> int | None:
        """Add a collection, due next by its schedule; None when there is one of the same query into the source."""
        ...

    def reschedule(self, collection_id: int, schedule: str | None, *, paused: bool) -> None:
        """Change schedule and pause; it is due next by the schedule from now on, or never while paused."""
        ...

    def remove(self, collection_id: int) -> None:
        """Delete a collection; its imports and listings stay."""
        ...

    def lock_due(self) -> Collection | None:
        """The collection that has been due for longest and that no other unit has locked; None when none is due."""
        ...


class KeyRepository(Protocol):
    """API keys by the hash of their secret."""

    def any(self) -> bool:
        """Whether there is any key, revoked ones included."""
        ...

    def add(self, request: KeyRequest, secret_hash: str, source_ids: Sequence[int]) -> ApiKey:
        """Add a key for these sources (empty for a key that covers every source)."""
        ...

    def lock_admins(self) -> list[int]:
        """Ids of the valid admin keys, locked."""
        ...

    def revoke(self, key_id: int) -> bool:
        """Revoke a key; False when there is no valid one with this id."""
        ...


class ModelRepository(Protocol):
    """Model versions and the pointer to the active one of each taxonomy."""

    def taxonomy_of(self, model_id: int) -> int:
        """The taxonomy of a model version; NotFound when there is no such version."""
        ...

    def lock_taxonomy(self, taxonomy_id: int) -> None:
        """Lock a taxonomy's pointer; waits for the deciding transactions. NotFound when there is no such taxonomy."""
        ...

    def active(self, taxonomy_id: int) -> int | None:
        """The active version of a taxonomy, or None."""
        ...

    def last_retired(self, taxonomy_id: int) -> int | None:
        """The version that was active before the present one, or None."""
        ...

    def next_number(self, taxonomy_id: int) -> int:
        """The number of the next version of a taxonomy, which is locked."""
        ...

    def add(self, taxonomy_id: int, number: int, manifest: Mapping[str, Any]) -> int:
        """Add a candidate; returns its id."""
        ...

    def activate(self, taxonomy_id: int, model_id: int) -> None:
        """Retire the active version and make this one active."""
        ...

    def show_known_decisions(self, taxonomy_id: int, model_id: int) -> None:
        """Show the final decisions that this version made before on their listings."""
        ...

    def requeue_listings(self, taxonomy_id: int, model_id: int) -> int:
        """Add a job for each listing that this version has no final decision on; returns how many."""
        ...

    def release_held_jobs(self, taxonomy_id: int) -> int:
        """Make the waiting jobs due that were held because the former version could not be read; returns how many."""
        ...


class LongJobs(Protocol):
    """Long jobs: trainings, studies, imports from product databases, rule proposals, purges."""

    def add(
        self,
        kind: JobKind,
        payload: Mapping[str, Any],
        *,
        unique_key: str | None = None,
        priority: Priority = Priority.PIPELINE,
    ) -> int | None:
        """Add a waiting job and wake the relay; None when the unique key is taken."""
        ...

    def find_open_training(self, taxonomy_id: int) -> int | None:
        """The open training of a taxonomy, whose row stays locked until the unit ends."""
        ...

    def mark_sent(self, job_id: int, deadline: float) -> bool:
        """Mark a waiting job ``sent`` for this process, which claims it within ``deadline`` seconds; False else."""
        ...

    def reset_failures(self, job: ClaimedLongJob) -> None:
        """Forget the failures of a job that has made progress."""
        ...


class DeadLetterRepository(Protocol):
    """Jobs that were given up."""

    def lock_open(self, letter_ids: Sequence[int] | None, reason_contains: str | None) -> list[OpenDeadLetter]:
        """Letters not yet replayed, of these ids and with this text in their reason (None: all), locked.

        Left out are those whose revision has another open job.
        """
        ...

    def replay(self, letters: Sequence[OpenDeadLetter]) -> None:
        """Set the jobs of these letters waiting, with a clean slate, and wake the relay."""
        ...

    def supersede(self, letters: Sequence[OpenDeadLetter]) -> None:
        """End the jobs of these letters as superseded."""
        ...


class RetentionRepository(Protocol):
    """Rows and studies that are deleted because they are old."""

    def delete_expired(self, rows: ExpiringRows, days: int, limit: int) -> int:
        """Delete at most ``limit`` of these rows that are older than ``days``; returns how many."""
        ...

    def expired_studies(self, days: int) -> list[int]:
        """Studies that ended more than ``days`` ago and have a later one of their taxonomy."""
        ...

    def delete_study(self, study_id: int) -> None:
        """Delete a study and its trials."""
        ...
