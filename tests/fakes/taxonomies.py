"""Taxonomies and their categories with texts, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.domain.category import SEPARATOR
from pipeline.domain.errors import NotFound
from pipeline.domain.job import OPEN_STATES, JobKind, Priority
from pipeline.domain.source import Taxonomy
from pipeline.domain.taxonomy import CategoryEntry
from tests.fakes.sources import taxonomy_ids
from tests.fakes.tables import StoredJob, StoredListing, Tables


class MemoryTaxonomies:
    """Implements ``pipeline.ports.administration_repositories.TaxonomyRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def find(self, name: str) -> Taxonomy | None:
        """The taxonomy of this name, or None."""
        taxonomy_id = taxonomy_ids(self._tables).get(name)
        return None if taxonomy_id is None else Taxonomy(taxonomy_id, name)

    def add(self, name: str) -> Taxonomy:
        """Add a taxonomy if it is missing."""
        if self.find(name) is None:
            self._tables.taxonomies[self._tables.next_id()] = name
        taxonomy = self.find(name)
        assert taxonomy is not None
        return taxonomy

    def lock(self, taxonomy_id: int) -> None:
        """NotFound when there is no such taxonomy."""
        if taxonomy_id not in taxonomy_ids(self._tables).values():
            raise NotFound(f"there is no taxonomy {taxonomy_id}")

    def entries(self, taxonomy_id: int) -> list[CategoryEntry]:
        """The categories with their texts, by path."""
        paths = sorted(self._tables.categories.get(taxonomy_id, ()))
        return [self._tables.category_texts.get((taxonomy_id, path), CategoryEntry(path)) for path in paths]

    def rename(self, taxonomy_id: int, renamed: Mapping[str, str]) -> None:
        """Give categories new paths."""
        renamed_entries = [replace(e, path=renamed[e.path]) for e in self.entries(taxonomy_id) if e.path in renamed]
        for old in renamed:
            self._tables.categories[taxonomy_id].discard(old)
            self._tables.category_texts.pop((taxonomy_id, old), None)
        self.put(taxonomy_id, renamed_entries)
        sources = {source.id for source in self._tables.sources.values() if source.taxonomy_id == taxonomy_id}
        for rule in self._tables.rules.values():
            if rule.source_id in sources and rule.category is not None:
                rule.category = renamed.get(rule.category, rule.category)
        for listing in self._listings(taxonomy_id):
            listing.category = renamed.get(listing.category or "", listing.category)
        listing_ids = {listing.id for listing in self._listings(taxonomy_id)}
        self._tables.reviews = [
            replace(review, category=renamed.get(review.category, review.category))
            if review.listing_id in listing_ids
            else review
            for review in self._tables.reviews
        ]

    def put(self, taxonomy_id: int, entries: Sequence[CategoryEntry]) -> None:
        """Add categories, or replace their texts."""
        known = self._tables.categories.setdefault(taxonomy_id, set())
        for entry in entries:
            parts = entry.path.split(SEPARATOR)
            assert all(parts)
            known.add(entry.path)
            self._tables.category_texts[taxonomy_id, entry.path] = entry

    def seller_categories(self, taxonomy_id: int, paths: Sequence[str]) -> list[tuple[int, str]]:
        """The sources whose sellers use one of the paths."""
        used = {
            (listing.source_id, category)
            for listing in self._listings(taxonomy_id)
            if (category := self._tables.revisions[listing.revision_id or 0].content.seller_category) in paths
        }
        return sorted((source_id, category) for source_id, category in used if category)

    def requeue_without_model(self, taxonomy_id: int) -> int:
        """Add a job for each listing that is not reviewed, if there is no model."""
        if taxonomy_id in self._tables.active_models:
            return 0
        busy = {job.revision_id for job in self._tables.jobs.values() if job.state in OPEN_STATES}
        added = 0
        for listing in list(self._listings(taxonomy_id)):
            category = self._tables.revisions[listing.revision_id or 0].content.seller_category
            if listing.reviewed or category is not None or listing.revision_id in busy:
                continue
            job = StoredJob(
                self._tables.next_id(), JobKind.CATEGORISE, Priority.BACKFILL, listing.id, listing.revision_id
            )
            job.created_at = job.not_before = self._tables.now
            self._tables.jobs[job.id] = job
            added += 1
        self._tables.relay_notified += bool(added)
        return added

    def _listings(self, taxonomy_id: int) -> Iterator[StoredListing]:
        """Listings of the taxonomy that are not withdrawn and have a revision."""
        for listing in self._tables.listings.values():
            in_taxonomy = self._tables.sources[listing.source_id].taxonomy_id == taxonomy_id
            if in_taxonomy and not listing.withdrawn and listing.revision_id is not None:
                yield listing
