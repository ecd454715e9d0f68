"""Model versions in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.domain.errors import NotFound
from pipeline.domain.job import OPEN_STATES, AttemptOutcome, JobKind, JobState, Priority
from pipeline.domain.model_version import ActiveModel, ModelStatus
from tests.fakes.tables import StoredJob, StoredListing, StoredModel, Tables


class MemoryModels:
    """Implements ``pipeline.ports.administration_repositories.ModelRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def taxonomy_of(self, model_id: int) -> int:
        """The taxonomy of a model version."""
        model = self._tables.models.get(model_id)
        if model is None:
            raise NotFound(f"there is no model version {model_id}")
        return model.taxonomy_id

    def lock_taxonomy(self, taxonomy_id: int) -> None:
        """NotFound when there is no such taxonomy."""
        if taxonomy_id not in {source.taxonomy_id for source in self._tables.sources.values()}:
            raise NotFound(f"there is no taxonomy {taxonomy_id}")

    def active(self, taxonomy_id: int) -> int | None:
        """The active version of a taxonomy, or None."""
        active = self._tables.active_models.get(taxonomy_id)
        return None if active is None else active.model_id

    def last_retired(self, taxonomy_id: int) -> int | None:
        """The version that was active before the present one, or None."""
        retired = [model for model in self._of(taxonomy_id) if model.status is ModelStatus.RETIRED]
        return max(retired, key=lambda model: (model.retired, model.id)).id if retired else None

    def next_number(self, taxonomy_id: int) -> int:
        """The number of the next version of a taxonomy."""
        return max((model.number for model in self._of(taxonomy_id)), default=0) + 1

    def add(self, taxonomy_id: int, number: int, manifest: Mapping[str, Any]) -> int:
        """Add a candidate."""
        model = StoredModel(self._tables.next_id(), taxonomy_id, number, dict(manifest))
        self._tables.models[model.id] = model
        return model.id

    def activate(self, taxonomy_id: int, model_id: int) -> None:
        """Retire the active version and make this one active."""
        for model in self._of(taxonomy_id):
            if model.status is ModelStatus.ACTIVE and model.id != model_id:
                model.status, model.retired = ModelStatus.RETIRED, self._tables.next_id()
        model = self._tables.models[model_id]
        model.status, model.retired = ModelStatus.ACTIVE, 0
        artefacts, files = model.manifest.get("artefacts", ""), model.manifest.get("files", {})
        self._tables.active_models[taxonomy_id] = ActiveModel(model_id, artefacts, files)

    def show_known_decisions(self, taxonomy_id: int, model_id: int) -> None:
        """Show the final decisions that this version made before on their listings, unless they were reviewed."""
        for listing in self._listings(taxonomy_id):
            decision = self._tables.decisions.get((listing.revision_id or 0, model_id))
            if decision is not None and not decision.provisional and not listing.reviewed:
                listing.status, listing.category = decision.status.value, decision.category

    def requeue_listings(self, taxonomy_id: int, model_id: int) -> int:
        """Add a job for each listing that this version has no final decision on."""
        busy = {job.revision_id for job in self._tables.jobs.values() if job.state in OPEN_STATES}
        added = 0
        for listing in sorted(self._listings(taxonomy_id), key=lambda listing: listing.id):
            decision = self._tables.decisions.get((listing.revision_id or 0, model_id))
            if listing.revision_id in busy or (decision is not None and not decision.provisional):
                continue
            priority = Priority.IMPORT if listing.status == "abstained" else Priority.BACKFILL
            job = StoredJob(self._tables.next_id(), JobKind.CATEGORISE, priority, listing.id, listing.revision_id)
            job.created_at = job.not_before = self._tables.now
            self._tables.jobs[job.id] = job
            added += 1
        return added

    def release_held_jobs(self, taxonomy_id: int) -> int:
        """Make the waiting jobs due that were held because the former version could not be read."""
        listings = {listing.id for listing in self._listings(taxonomy_id)}
        released = 0
        for job in self._tables.jobs.values():
            attempt = self._tables.attempts.get((job.id, job.attempt))
            held = attempt is not None and attempt.outcome is AttemptOutcome.REQUEUED
            late = job.state is JobState.WAITING and job.not_before > self._tables.now
            if job.listing_id in listings and held and late:
                job.not_before = self._tables.now
                released += 1
        return released

    def _of(self, taxonomy_id: int) -> Iterator[StoredModel]:
        return (model for model in self._tables.models.values() if model.taxonomy_id == taxonomy_id)

    def _listings(self, taxonomy_id: int) -> Iterator[StoredListing]:
        for listing in self._tables.listings.values():
            source = self._tables.sources[listing.source_id]
            if source.taxonomy_id == taxonomy_id and listing.revision_id is not None and not listing.withdrawn:
                yield listing
