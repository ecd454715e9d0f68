"""Sources, taxonomies and categories in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pipeline.domain.category import SEPARATOR
from pipeline.domain.category_notation import CategoryNotation
from pipeline.domain.errors import NotFound
from pipeline.domain.source import Source
from tests.fakes.tables import Tables


def taxonomy_ids(tables: Tables) -> dict[str, int]:
    """The ids of taxonomies by name."""
    of_sources = {source.taxonomy: source.taxonomy_id for source in tables.sources.values()}
    return {name: taxonomy_id for taxonomy_id, name in tables.taxonomies.items()} | of_sources


class MemorySources:
    """Implements ``pipeline.ports.administration_repositories.SourceRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def find(self, name: str) -> Source | None:
        """The source of this name, or None."""
        return next((source for source in self._tables.sources.values() if source.name == name), None)

    def add(self, name: str, taxonomy: str) -> Source:
        """Add a source and its taxonomy where they are missing."""
        known = self.find(name)
        if known is not None:
            return known
        taxonomies = taxonomy_ids(self._tables)
        taxonomy_id = taxonomies[taxonomy] if taxonomy in taxonomies else self._tables.next_id()
        source = Source(self._tables.next_id(), name, taxonomy_id, taxonomy)
        self._tables.sources[source.id] = source
        return source

    def set_notation(self, source_id: int, notation: CategoryNotation) -> None:
        """Store how the source writes categories."""
        self._tables.sources[source_id] = replace(self._tables.sources[source_id], notation=notation)

    def lock(self, source_id: int) -> None:
        """NotFound when there is no such source."""
        if source_id not in self._tables.sources:
            raise NotFound(f"there is no source {source_id}")

    def taxonomies_with_model(self) -> list[str]:
        """Names of the taxonomies that have an active model version."""
        active = self._tables.active_models
        return sorted({source.taxonomy for source in self._tables.sources.values() if source.taxonomy_id in active})

    def has_category(self, source_id: int, path: str) -> bool:
        """Whether a source's taxonomy has the category of this path."""
        return path in self.category_paths(source_id)

    def category_paths(self, source_id: int) -> list[str]:
        """The paths of the categories of a source's taxonomy."""
        return sorted(self._tables.categories.get(self._tables.sources[source_id].taxonomy_id, ()))

    def add_categories(self, source_id: int, paths: Iterable[str]) -> None:
        """Add categories, and those above them."""
        known = self._tables.categories.setdefault(self._tables.sources[source_id].taxonomy_id, set())
        for path in paths:
            parts = path.split(SEPARATOR)
            known.update(SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts) + 1))

    def retire_category(self, taxonomy_id: int, path: str) -> int:
        """Retire a category and those below it; returns how many were not retired."""
        retired = self._tables.retired.setdefault(taxonomy_id, set())
        found = self._at_or_below(self._tables.categories.get(taxonomy_id, set()) - retired, path)
        retired |= found
        return len(found)

    def restore_category(self, taxonomy_id: int, path: str) -> int:
        """Undo the retirement of a category and of those below it; returns how many were retired."""
        found = self._at_or_below(self._tables.retired.get(taxonomy_id, set()), path)
        self._tables.retired.setdefault(taxonomy_id, set()).difference_update(found)
        return len(found)

    @staticmethod
    def _at_or_below(paths: Iterable[str], path: str) -> set[str]:
        return {each for each in paths if f"{each}{SEPARATOR}".startswith(f"{path}{SEPARATOR}")}
