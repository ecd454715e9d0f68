"""Repositories for administration: sources, rules, collections, keys, models, long jobs, dead letters, retention.

Each works in the transaction of its unit of work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pipeline.domain.api_key import ApiKey, KeyRequest
from pipeline.domain.category_notation import CategoryNotation
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.collection import Collection, CollectionRequest
from pipeline.domain.job import JobKind, OpenDeadLetter, Priority
from pipeline.domain.retention import ExpiringRows
from pipeline.domain.rule import Rule, RuleStatus
from pipeline.domain.rule_proposal import RuleProposal
from pipeline.domain.source import Source, Taxonomy
from pipeline.domain.taxonomy import CategoryEntry


class SourceRepository(Protocol):
    """Sources, their taxonomies, and the categories of the taxonomies."""

    def find(self, name: str) -> Source | None:
        """The source of this name, or None."""
        ...

    def add(self, name: str, taxonomy: str) -> Source:
        """Add a source and its taxonomy if they are missing; returns the source of this name."""
        ...

    def lock(self, source_id: int) -> None:
        """Lock the source until the unit ends, so that one unit at a time changes its rules or starts its imports.

        Intake of listings does not wait for the lock. Raises NotFound when there is no such source.
        """
        ...

    def set_notation(self, source_id: int, notation: CategoryNotation) -> None:
        """Store how the source writes categories, for later imports and posted listings."""
        ...

    def taxonomies_with_model(self) -> list[str]:
        """Names of the taxonomies that have an active model version, at most two of them."""
        ...

    def has_category(self, source_id: int, path: str) -> bool:
        """Whether a source's taxonomy has a category with this path."""
        ...

    def category_paths(self, source_id: int) -> list[str]:
        """The paths of the categories of a source's taxonomy."""
        ...

    def add_categories(self, source_id: int, paths: Iterable[str]) -> None:
        """Add categories and their ancestors to a source's taxonomy if they are missing."""
        ...

    def retire_category(self, taxonomy_id: int, path: str) -> int:
        """Retire a category and those below it; returns how many were not retired."""
        ...

    def restore_category(self, taxonomy_id: int, path: str) -> int:
        """Undo the retirement of a category and of those below it; returns how many were retired."""
        ...


class TaxonomyRepository(Protocol):
    """Taxonomies, and their categories with the texts that describe them."""

    def find(self, name: str) -> Taxonomy | None:
        """The taxonomy of this name, or None."""
        ...

    def add(self, name: str) -> Taxonomy:
        """Add a taxonomy if it is missing; returns the taxonomy of this name."""
        ...

    def lock(self, taxonomy_id: int) -> None:
        """Lock the taxonomy until the unit ends, so that nobody else adds categories. NotFound when there is none."""
        ...

    def entries(self, taxonomy_id: int) -> list[CategoryEntry]:
        """The categories of a taxonomy with their texts, by path."""
        ...

    def rename(self, taxonomy_id: int, renamed: Mapping[str, str]) -> None:
        """Give categories new paths (by old ones), also where reviews and lists of listings name them."""
        ...

    def put(self, taxonomy_id: int, entries: Sequence[CategoryEntry]) -> None:
        """Add categories, or replace the texts of those that exist."""
        ...

    def seller_categories(self, taxonomy_id: int, paths: Sequence[str]) -> list[tuple[int, str]]:
        """The ids of sources whose sellers use one of these paths, each with the path."""
        ...

    def requeue_without_model(self, taxonomy_id: int) -> int:
        """Add a job for each listing without a label of its own, if the taxonomy has no model; returns how many."""
        ...


class RuleRepository(Protocol):
    """Rules of sources, and the jobs that propose them."""

    def find(self, rule_id: int) -> Rule | None:
        """The rule, or None."""
        ...

    def put(
        self, source_id: int, source_category: str, category: str | None, status: RuleStatus, decided_by: str
    ) -> int:
        """Write a decided rule, replacing the one with the same source category and category; returns its id."""
        ...

    def reopen(self, rule_id: int) -> bool:
        """Make a rule a proposal again; returns False when it no longer exists."""
        ...

    def refuse_accepted(self, source_id: int, source_category: str, except_for: str | None, decided_by: str) -> None:
        """Refuse the accepted rule of a source category, unless its category is ``except_for``."""
        ...

    def delete_proposals(self, source_id: int, source_category: str, except_for: str | None) -> None:
        """Delete the proposals for a source category, except one whose category is ``except_for``."""
        ...

    def accept_above(self, source_id: int, score: float, decided_by: str) -> int:
        """Accept the proposals with at least this score; returns how many.

        Only the best proposal for a source category is accepted, and none if it already has an accepted rule.
        """
        ...

    def replace_proposals(self, source_id: int, proposals: Sequence[RuleProposal]) -> int:
        """Delete all proposals of a source and add these; returns how many were added.

        Left out are those for a source category with an accepted rule, those equal to a refused rule, and those whose
        category is not in the taxonomy.
        """
        ...

    def update_support(self, source_id: int, support: Mapping[str, int]) -> None:
        """Write the number of listings of each of these source categories to its rules."""
        ...

    def find_proposal_job(self, source_id: int, *, with_running: bool) -> int | None:
        """An open job that proposes rules for a source; without running jobs, one that will see all current data."""
        ...

    def add_proposal_job(self, source_id: int, requested_by: str | None, unique_key: str | None = None) -> int | None:
        """Add a job that proposes rules for a source; returns its id, None if the unique key is taken.

        Without ``requested_by``, the job starts after about as many decisions as there are waiting jobs now, or after
        an hour.
        """
        ...

    def source_with_new_categories(self, import_id: int) -> int | None:
        """The source of an import from a product database that added source categories without a rule, else None."""
        ...

    def sources_to_decide(self, taxonomy_id: int) -> list[int]:
        """The sources of a taxonomy that have proposals, or collected listings but no rule."""
        ...


class CollectionRepository(Protocol):
    """Collections: queries to product databases that run on a schedule."""

    def lock(self, collection_id: int, source_ids: frozenset[int] | None) -> Collection:
        """Lock a collection into one of these sources (None: any); raises NotFound when there is none."""
        ...

    def find_same(self, request: CollectionRequest) -> Collection | None:
        """Lock the collection with the same query and source; None if there is none."""
        ...

    def add(self, request: CollectionRequest) -> int | None:
        """Add a collection, due by its schedule; None if there is one with the same query and source."""
        ...

    def reschedule(self, collection_id: int, schedule: str | None, *, paused: bool) -> None:
        """Change the schedule and whether it is paused; it is next due by the schedule, or never while paused."""
        ...

    def remove(self, collection_id: int) -> None:
        """Delete a collection; its imports and listings stay."""
        ...

    def lock_due(self) -> Collection | None:
        """Lock the collection that has been due for longest and is not locked by another unit; None if none is due."""
        ...


class KeyRepository(Protocol):
    """API keys by the hash of their secret."""

    def any(self) -> bool:
        """Whether there is any key, including revoked ones."""
        ...

    def add(self, request: KeyRequest, secret_hash: str, source_ids: Sequence[int]) -> ApiKey:
        """Add a key for these sources (empty for a key that covers every source)."""
        ...

    def lock_admins(self) -> list[int]:
        """Lock the valid admin keys; returns their ids."""
        ...

    def revoke(self, key_id: int) -> bool:
        """Revoke a key; returns False when there is no valid key with this id."""
        ...


class ModelRepository(Protocol):
    """Model versions and the pointer to the active one of each taxonomy."""

    def taxonomy_of(self, model_id: int) -> int:
        """The taxonomy of a model version; raises NotFound when there is no such version."""
        ...

    def lock_taxonomy(self, taxonomy_id: int) -> None:
        """Lock a taxonomy's pointer, waiting for transactions that write decisions; raises NotFound."""
        ...

    def active(self, taxonomy_id: int) -> int | None:
        """The active version of a taxonomy, or None."""
        ...

    def last_retired(self, taxonomy_id: int) -> int | None:
        """The version that was active before the current one, or None."""
        ...

    def next_number(self, taxonomy_id: int) -> int:
        """The number of the next version of a locked taxonomy."""
        ...

    def add(self, taxonomy_id: int, number: int, manifest: Mapping[str, Any]) -> int:
        """Add a candidate version; returns its id."""
        ...

    def activate(self, taxonomy_id: int, model_id: int) -> None:
        """Retire the active version and make this one active."""
        ...

    def show_known_decisions(self, taxonomy_id: int, model_id: int) -> None:
        """Set listings without a review to the final decisions that this version made earlier."""
        ...

    def requeue_listings(self, taxonomy_id: int, model_id: int) -> int:
        """Add a job for each listing without a final decision by this version; returns how many."""
        ...

    def release_held_jobs(self, taxonomy_id: int) -> int:
        """Make waiting jobs due that were held because the previous version was unreadable; returns how many."""
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
        """Add a waiting job and wake the relay; returns its id, None if the unique key is taken."""
        ...

    def find_open_training(self, taxonomy_id: int) -> int | None:
        """The open training job of a taxonomy, whose row stays locked until the unit ends."""
        ...

    def cancel_training(self, job_id: int, note: str) -> bool:
        """End an open training; the claim of a worker on it no longer holds. False if it is no open training."""
        ...

    def mark_sent(self, job_id: int, deadline: float) -> bool:
        """Mark a waiting job ``sent``, to be claimed within ``deadline`` seconds; False if it is not waiting."""
        ...

    def reset_failures(self, job: ClaimedLongJob) -> None:
        """Reset the failure count of a job that has made progress."""
        ...


class DeadLetterRepository(Protocol):
    """Jobs that failed for good."""

    def lock_open(self, letter_ids: Sequence[int] | None, reason_contains: str | None) -> list[OpenDeadLetter]:
        """Lock the letters that are not replayed, with these ids and this text in their reason (None: all).

        Letters whose revision has another open job are left out.
        """
        ...

    def replay(self, letters: Sequence[OpenDeadLetter]) -> None:
        """Return the jobs of these letters to ``waiting`` with their failures reset, and wake the relay."""
        ...

    def supersede(self, letters: Sequence[OpenDeadLetter]) -> None:
        """End the jobs of these letters as superseded."""
        ...


class RetentionRepository(Protocol):
    """Deletes rows and studies that have expired."""

    def delete_expired(self, rows: ExpiringRows, days: int, limit: int) -> int:
        """Delete up to ``limit`` of these rows that are older than ``days``; returns how many."""
        ...

    def expired_studies(self, days: int) -> list[int]:
        """Ids of studies that ended more than ``days`` ago and are not the latest of their taxonomy."""
        ...

    def delete_study(self, study_id: int) -> None:
        """Delete a study and its trials."""
        ...
