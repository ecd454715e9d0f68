"""Sources and taxonomies by name."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from infra.store.sql import visible_to
from pipeline.domain.errors import NotFound
from pipeline.domain.source import Source, Taxonomy
from pipeline.domain.text import listed

MAX_CATEGORY_PATHS = 500

SELECT_SOURCE = text(
    """
    SELECT s.id, s.name, s.taxonomy_id, t.name AS taxonomy
    FROM sources s JOIN taxonomies t ON t.id = s.taxonomy_id WHERE s.name = :name
    """
)
SELECT_SOURCE_CHOICES = text(
    """
    SELECT s.id, s.name, t.name AS taxonomy, m.number AS model
    FROM sources s JOIN taxonomies t ON t.id = s.taxonomy_id LEFT JOIN model_versions m ON m.id = t.active_model_id
    WHERE :every OR s.id = ANY(:sources) ORDER BY s.name
    """
)
SELECT_CATEGORY_PATHS = text(
    """
    SELECT DISTINCT c.path FROM categories c JOIN sources s ON s.taxonomy_id = c.taxonomy_id
    WHERE (:every OR s.id = ANY(:sources))
      AND (CAST(:source AS bigint) IS NULL OR s.id = :source)
    ORDER BY c.path LIMIT :limit
    """
)
SELECT_TAXONOMIES = text("SELECT id, name FROM taxonomies ORDER BY name")
SELECT_TAXONOMY_NAME = text("SELECT name FROM taxonomies WHERE id = :id")


def find_source(connection: Connection, name: str) -> Source | None:
    """The source of this name, or None."""
    row = connection.execute(SELECT_SOURCE, {"name": name}).first()
    return None if row is None else Source(*row)


def find_taxonomy(connection: Connection, name: str | None) -> Taxonomy:
    """The taxonomy of this name; without a name, the only one there is.

    Raises NotFound with the names to choose from.
    """
    taxonomies = [Taxonomy(*row) for row in connection.execute(SELECT_TAXONOMIES)]
    chosen = [taxonomy for taxonomy in taxonomies if name is None or taxonomy.name == name]
    if len(chosen) == 1:
        return chosen[0]
    names = listed([taxonomy.name for taxonomy in taxonomies]) or "none yet; import a catalogue first"
    if name is None and taxonomies:
        raise NotFound(f"name one of the taxonomies: {names}")
    raise NotFound(f"there is no taxonomy '{name}'; there are: {names}")


def taxonomy_name(connection: Connection, taxonomy_id: int) -> str:
    """The name of a taxonomy; NotFound when there is none of this id."""
    name: str | None = connection.scalar(SELECT_TAXONOMY_NAME, {"id": taxonomy_id})
    if name is None:
        raise NotFound(f"there is no taxonomy {taxonomy_id}")
    return name


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """A source to choose; ``model`` is the number of the active version of its taxonomy, if it has one."""

    id: int
    name: str
    taxonomy: str
    model: int | None


def list_sources(connection: Connection, source_ids: frozenset[int] | None) -> list[SourceChoice]:
    """The sources one may see, by name."""
    return [SourceChoice(*row) for row in connection.execute(SELECT_SOURCE_CHOICES, visible_to(source_ids))]


def list_categories(
    connection: Connection, source_ids: frozenset[int] | None, source_id: int | None = None
) -> list[str]:
    """Paths of the categories of these sources' taxonomies, or of one source's; at most ``MAX_CATEGORY_PATHS``."""
    parameters = visible_to(source_ids) | {"source": source_id, "limit": MAX_CATEGORY_PATHS}
    return list(connection.scalars(SELECT_CATEGORY_PATHS, parameters))
