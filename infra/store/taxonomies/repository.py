"""Writes of taxonomies: categories of sources, and imports of categories with their texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, text

from infra.store.notify_channels import wake_relay
from infra.store.sql_fragments import SQL_OPEN_STATES, storable
from infra.store.taxonomies.queries import category_entries, find_by_name
from pipeline.domain.category import SEPARATOR
from pipeline.domain.errors import NotFound
from pipeline.domain.source import Taxonomy
from pipeline.domain.taxonomy import CategoryEntry

INSERT_CATEGORIES = text(
    f"""
    INSERT INTO categories (taxonomy_id, path, level)
    SELECT s.taxonomy_id, new.path, array_length(string_to_array(new.path, '{SEPARATOR}'), 1)
    FROM sources s, unnest(CAST(:paths AS text[])) AS new(path) WHERE s.id = :source
    ORDER BY new.path
    ON CONFLICT DO NOTHING
    """
)
INSERT_TAXONOMY = text("INSERT INTO taxonomies (name) VALUES (:name) ON CONFLICT DO NOTHING")
LOCK_TAXONOMY = text("SELECT id FROM taxonomies WHERE id = :taxonomy FOR UPDATE")
UPSERT_CATEGORIES = text(
    f"""
    INSERT INTO categories (taxonomy_id, path, level, description, synonyms, external_id, names)
    SELECT :taxonomy, new.path, array_length(string_to_array(new.path, '{SEPARATOR}'), 1), new.description,
           ARRAY(SELECT jsonb_array_elements_text(new.synonyms)), new.external_id, new.names
    FROM jsonb_to_recordset(CAST(:entries AS jsonb))
         AS new(path text, description text, synonyms jsonb, external_id text, names jsonb)
    ON CONFLICT (taxonomy_id, path) DO UPDATE
    SET description = excluded.description, synonyms = excluded.synonyms, external_id = excluded.external_id,
        names = excluded.names, updated_at = now()
    """
)
RENAMED = "unnest(CAST(:old AS text[]), CAST(:new AS text[])) AS renamed(old, new)"
# In two steps, since two categories may change places.
SET_ASIDE_CATEGORIES = text(
    f"UPDATE categories SET path = chr(1) || path FROM {RENAMED} WHERE taxonomy_id = :taxonomy AND path = renamed.old"
)
RENAME_CATEGORIES = text(
    f"""
    UPDATE categories SET path = renamed.new, updated_at = now(),
           level = array_length(string_to_array(renamed.new, '{SEPARATOR}'), 1)
    FROM {RENAMED} WHERE taxonomy_id = :taxonomy AND path = chr(1) || renamed.old
    """
)
IN_TAXONOMY = """
    EXISTS (SELECT 1 FROM listings l JOIN sources s ON s.id = l.source_id
            WHERE l.id = reviews.listing_id AND s.taxonomy_id = :taxonomy)
"""
RENAME_REVIEWS = text(
    f"UPDATE reviews SET category = renamed.new FROM {RENAMED} WHERE reviews.category = renamed.old AND {IN_TAXONOMY}"
)
RENAME_LISTINGS = text(
    f"""
    UPDATE listings SET category = renamed.new, updated_at = now() FROM {RENAMED}, sources s
    WHERE s.id = listings.source_id AND s.taxonomy_id = :taxonomy AND listings.category = renamed.old
    """
)
SELECT_SELLER_CATEGORIES = text(
    """
    SELECT DISTINCT l.source_id, r.seller_category
    FROM listings l JOIN sources s ON s.id = l.source_id JOIN revisions r ON r.id = l.current_revision_id
    WHERE s.taxonomy_id = :taxonomy AND r.seller_category = ANY(:paths) ORDER BY 1, 2
    """
)
# Suggestions by names change with the names; a model's decisions do not.
REQUEUE_WITHOUT_MODEL = text(
    f"""
    INSERT INTO jobs (kind, priority, queue, listing_id, revision_id)
    SELECT 'categorise', 'backfill', 'categorise', l.id, l.current_revision_id
    FROM listings l JOIN sources s ON s.id = l.source_id JOIN taxonomies t ON t.id = s.taxonomy_id
    JOIN revisions r ON r.id = l.current_revision_id
    WHERE t.id = :taxonomy AND t.active_model_id IS NULL AND l.withdrawn_at IS NULL AND NOT l.reviewed
      AND r.seller_category IS NULL
    ORDER BY l.id
    ON CONFLICT (revision_id) WHERE state IN {SQL_OPEN_STATES} DO NOTHING
    """
)


def add_categories(connection: Connection, source_id: int, paths: Iterable[str | None]) -> None:
    """Add missing categories and their ancestors to the taxonomy of a source; None is skipped."""
    paths_with_ancestors: set[str] = set()
    for path in filter(None, paths):
        parts = path.split(SEPARATOR)
        paths_with_ancestors.update(SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts) + 1))
    if paths_with_ancestors:
        connection.execute(INSERT_CATEGORIES, {"paths": sorted(paths_with_ancestors), "source": source_id})


class SqlTaxonomies:
    """Implements ``pipeline.ports.administration_repositories.TaxonomyRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> Taxonomy | None:
        """The taxonomy with this name, or None."""
        return find_by_name(self._connection, name)

    def add(self, name: str) -> Taxonomy:
        """Add a taxonomy if it is missing; a concurrent unit may have added it first."""
        self._connection.execute(INSERT_TAXONOMY, {"name": storable(name)})
        taxonomy = self.find(name)
        assert taxonomy is not None
        return taxonomy

    def lock(self, taxonomy_id: int) -> None:
        """Lock a taxonomy's row, so that nobody else adds categories; NotFound when there is none."""
        if self._connection.scalar(LOCK_TAXONOMY, {"taxonomy": taxonomy_id}) is None:
            raise NotFound(f"there is no taxonomy {taxonomy_id}")

    def entries(self, taxonomy_id: int) -> list[CategoryEntry]:
        """The categories of a taxonomy with their texts, by path."""
        return category_entries(self._connection, taxonomy_id, with_retired=True)

    def rename(self, taxonomy_id: int, renamed: Mapping[str, str]) -> None:
        """Give categories new paths, also where reviews and decisions of its listings name them."""
        parameters = {"taxonomy": taxonomy_id, "old": list(renamed), "new": list(renamed.values())}
        for statement in (SET_ASIDE_CATEGORIES, RENAME_CATEGORIES, RENAME_REVIEWS, RENAME_LISTINGS):
            self._connection.execute(statement, parameters)

    def put(self, taxonomy_id: int, entries: Sequence[CategoryEntry]) -> None:
        """Add categories, or replace the texts of those that exist."""
        rows = [
            {
                "path": entry.path,
                "description": storable(entry.description),
                "synonyms": list(entry.synonyms),
                "external_id": entry.external_id,
                "names": dict(entry.names),
            }
            for entry in entries
        ]
        if rows:
            self._connection.execute(UPSERT_CATEGORIES, {"taxonomy": taxonomy_id, "entries": json.dumps(rows)})

    def seller_categories(self, taxonomy_id: int, paths: Sequence[str]) -> list[tuple[int, str]]:
        """The sources whose sellers use one of these paths, each with the path."""
        rows = self._connection.execute(SELECT_SELLER_CATEGORIES, {"taxonomy": taxonomy_id, "paths": list(paths)})
        return [(row.source_id, row.seller_category) for row in rows]

    def requeue_without_model(self, taxonomy_id: int) -> int:
        """Add a job for each listing without a label of its own, if no model decides them; returns how many."""
        added = self._connection.execute(REQUEUE_WITHOUT_MODEL, {"taxonomy": taxonomy_id}).rowcount
        if added:
            wake_relay(self._connection)
        return added
