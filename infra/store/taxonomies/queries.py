"""Reads of taxonomies and their categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from infra.store.sql_fragments import visible_to
from pipeline.domain.category import SEPARATOR
from pipeline.domain.display_text import join_names
from pipeline.domain.errors import NotFound
from pipeline.domain.source import Taxonomy
from pipeline.domain.taxonomy import CategoryEntry

MAX_CATEGORY_PATHS = 500
# A category that nobody retired, nor any above it; ``c`` is its row.
IS_NOT_RETIRED = f"""
    NOT EXISTS (SELECT 1 FROM categories x WHERE x.taxonomy_id = c.taxonomy_id AND x.retired_at IS NOT NULL
                AND starts_with(c.path || '{SEPARATOR}', x.path || '{SEPARATOR}'))
"""
SELECT_CATEGORY_PATHS = text(
    f"""
    SELECT DISTINCT c.path FROM categories c JOIN sources s ON s.taxonomy_id = c.taxonomy_id
    WHERE (:every OR s.id = ANY(:sources))
      AND (CAST(:source AS bigint) IS NULL OR s.id = :source) AND {IS_NOT_RETIRED}
    ORDER BY c.path LIMIT :limit
    """
)
SELECT_TAXONOMIES = text("SELECT id, name FROM taxonomies ORDER BY name")
SELECT_TAXONOMY = text("SELECT id, name FROM taxonomies WHERE name = :name")
SELECT_ALL_CATEGORY_PATHS = text(
    f"SELECT c.path FROM categories c WHERE c.taxonomy_id = :taxonomy AND {IS_NOT_RETIRED} ORDER BY c.path"
)
SELECT_RETIRED_PATHS = text("SELECT path FROM categories WHERE taxonomy_id = :taxonomy AND retired_at IS NOT NULL")
SELECT_TAXONOMY_NAME = text("SELECT name FROM taxonomies WHERE id = :id")
SELECT_ENTRIES = text(
    f"""
    SELECT c.path, c.description, c.synonyms, c.external_id, c.names FROM categories c
    WHERE c.taxonomy_id = :taxonomy AND (:with_retired OR {IS_NOT_RETIRED}) ORDER BY c.path
    """
)
SELECT_REVISION = text(
    "SELECT count(*) AS categories, coalesce(max(id), 0) AS latest, max(updated_at) AS updated_at "
    "FROM categories WHERE taxonomy_id = :taxonomy"
)
SELECT_TAXONOMY_VIEWS = text(
    """
    SELECT t.id, t.name, count(c.id) AS categories, coalesce(max(c.level), 0) AS levels,
           ARRAY(SELECT s.name FROM sources s WHERE s.taxonomy_id = t.id ORDER BY s.name) AS sources,
           (SELECT m.number FROM model_versions m WHERE m.id = t.active_model_id) AS model, t.created_at
    FROM taxonomies t LEFT JOIN categories c ON c.taxonomy_id = t.id
    WHERE :every OR t.id IN (SELECT taxonomy_id FROM sources WHERE id = ANY(:sources))
    GROUP BY t.id ORDER BY t.name
    """
)
# In the order of a tree: a category, what is below it, then its next sibling.
SELECT_CATEGORY_VIEWS = text(
    f"""
    SELECT c.id, c.path, c.level, c.description, c.synonyms, c.external_id, c.names FROM categories c
    WHERE c.taxonomy_id = :taxonomy AND {IS_NOT_RETIRED}
      AND (:under = '' OR starts_with(c.path || '{SEPARATOR}', :under || '{SEPARATOR}'))
      AND (:words = '' OR c.path ILIKE :pattern OR array_to_string(c.synonyms, ' ') ILIKE :pattern
           OR c.external_id = :words OR EXISTS (SELECT 1 FROM jsonb_each_text(c.names) n WHERE n.value ILIKE :pattern))
      AND (CAST(:after AS bigint) IS NULL OR string_to_array(c.path, '{SEPARATOR}') > (
           SELECT string_to_array(a.path, '{SEPARATOR}') FROM categories a WHERE a.id = :after))
    ORDER BY string_to_array(c.path, '{SEPARATOR}') LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class TaxonomyView:
    """A taxonomy as lists show it; ``model`` is the number of its active version, None without one."""

    id: int
    name: str
    categories: int
    levels: int
    sources: tuple[str, ...]
    model: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CategoryView:
    """A category with its texts as lists show it."""

    id: int
    path: str
    level: int
    description: str
    synonyms: tuple[str, ...]
    external_id: str | None
    names: Mapping[str, str]


class CategoriesRevision(NamedTuple):
    """What changes whenever the categories of a taxonomy, or their texts, change."""

    categories: int
    latest: int
    updated_at: datetime | None


def find_by_name(connection: Connection, name: str) -> Taxonomy | None:
    """The taxonomy with this name, or None."""
    row = connection.execute(SELECT_TAXONOMY, {"name": name}).first()
    return None if row is None else Taxonomy(*row)


def find_taxonomy(connection: Connection, name: str | None) -> Taxonomy:
    """The taxonomy with this name; without a name, the only one there is.

    Raises NotFound, which lists the names to choose from.
    """
    taxonomies = [Taxonomy(*row) for row in connection.execute(SELECT_TAXONOMIES)]
    matches = [taxonomy for taxonomy in taxonomies if name is None or taxonomy.name == name]
    if len(matches) == 1:
        return matches[0]
    names = join_names([taxonomy.name for taxonomy in taxonomies]) or "none yet; import a catalogue first"
    if name is None and taxonomies:
        raise NotFound(f"name one of the taxonomies: {names}")
    raise NotFound(f"there is no taxonomy '{name}'; there are: {names}")


def category_paths(connection: Connection, taxonomy_id: int) -> list[str]:
    """The paths of all categories of a taxonomy, without retired ones."""
    return list(connection.scalars(SELECT_ALL_CATEGORY_PATHS, {"taxonomy": taxonomy_id}))


def retired_paths(connection: Connection, taxonomy_id: int) -> frozenset[str]:
    """The paths of the retired categories of a taxonomy; all categories below them are retired too."""
    return frozenset(connection.scalars(SELECT_RETIRED_PATHS, {"taxonomy": taxonomy_id}))


def category_entries(connection: Connection, taxonomy_id: int, *, with_retired: bool) -> list[CategoryEntry]:
    """The categories of a taxonomy with their texts, by path."""
    rows = connection.execute(SELECT_ENTRIES, {"taxonomy": taxonomy_id, "with_retired": with_retired})
    return [
        CategoryEntry(row.path, row.description, tuple(row.synonyms), row.external_id, dict(row.names)) for row in rows
    ]


def categories_revision(connection: Connection, taxonomy_id: int) -> CategoriesRevision:
    """The revision of a taxonomy's categories and of their texts."""
    return CategoriesRevision(*connection.execute(SELECT_REVISION, {"taxonomy": taxonomy_id}).one())


def taxonomy_name(connection: Connection, taxonomy_id: int) -> str:
    """The name of a taxonomy; NotFound when there is none with this id."""
    name: str | None = connection.scalar(SELECT_TAXONOMY_NAME, {"id": taxonomy_id})
    if name is None:
        raise NotFound(f"there is no taxonomy {taxonomy_id}")
    return name


def list_categories(
    connection: Connection, source_ids: frozenset[int] | None, source_id: int | None = None
) -> list[str]:
    """Category paths of these sources' taxonomies (None: all), or of one source's; at most ``MAX_CATEGORY_PATHS``."""
    parameters = visible_to(source_ids) | {"source": source_id, "limit": MAX_CATEGORY_PATHS}
    return list(connection.scalars(SELECT_CATEGORY_PATHS, parameters))


def list_taxonomies(connection: Connection, source_ids: frozenset[int] | None = None) -> list[TaxonomyView]:
    """The taxonomies of these sources (None: all, also those without a source), by name."""
    rows = connection.execute(SELECT_TAXONOMY_VIEWS, visible_to(source_ids))
    return [TaxonomyView(**{**row._mapping, "sources": tuple(row.sources)}) for row in rows]


def find_taxonomy_view(connection: Connection, name: str, source_ids: frozenset[int] | None = None) -> TaxonomyView:
    """The taxonomy with this name. Raises NotFound when there is none, or when no source of these belongs to it."""
    views = list_taxonomies(connection, source_ids)
    found = next((view for view in views if view.name == name), None)
    if found is None:
        names = join_names([view.name for view in views]) or "none yet"
        raise NotFound(f"there is no taxonomy '{name[:100]}'; there are: {names}")
    return found


def find_categories(
    connection: Connection, taxonomy_id: int, *, words: str = "", under: str = "", after: int | None = None, limit: int
) -> list[CategoryView]:
    """Categories in the order of the tree, after the one with the id ``after``.

    ``words`` are searched in paths, synonyms and names; ``under`` is a path, whose category is included.
    """
    pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    parameters = {
        "taxonomy": taxonomy_id,
        "words": words,
        "pattern": pattern,
        "under": under,
        "after": after,
        "limit": limit,
    }
    rows = connection.execute(SELECT_CATEGORY_VIEWS, parameters)
    return [CategoryView(**{**row._mapping, "synonyms": tuple(row.synonyms)}) for row in rows]
