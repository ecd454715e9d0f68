"""Taxonomies and their categories."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, Timestamp
from infra.store.sql_fragments import visible_to
from pipeline.domain.category import SEPARATOR
from pipeline.domain.display_text import join_names
from pipeline.domain.errors import NotFound
from pipeline.domain.source import Taxonomy


class TaxonomyRow(Base):
    """A taxonomy and its pointer to the active model version; deciding transactions lock this row FOR SHARE."""

    __tablename__ = "taxonomies"
    __table_args__ = (
        # Composite, so that the active version can only be one of this taxonomy.
        ForeignKeyConstraint(
            ["id", "active_model_id"],
            ["model_versions.taxonomy_id", "model_versions.id"],
            use_alter=True,
            name="fk_taxonomies_active_model",
        ),
        CheckConstraint("level >= 1", name="level"),
    )

    id: Mapped[PrimaryKey]
    name: Mapped[TextStr] = mapped_column(unique=True)
    level: Mapped[int | None]
    active_model_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]


class CategoryRow(Base):
    """A category of a taxonomy, identified by the text of its canonical path.

    A retired category, and those below it, are neither answered nor suggested by models, nor offered in lists.
    """

    __tablename__ = "categories"
    __table_args__ = (
        UniqueConstraint("taxonomy_id", "path"),
        CheckConstraint("level >= 1", name="level"),
        Index("ix_categories_retired", "taxonomy_id", "path", postgresql_where=text("retired_at IS NOT NULL")),
    )

    id: Mapped[PrimaryKey]
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id", ondelete="CASCADE"))
    path: Mapped[TextStr]
    level: Mapped[int]
    retired_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]


INSERT_CATEGORIES = text(
    f"""
    INSERT INTO categories (taxonomy_id, path, level)
    SELECT s.taxonomy_id, new.path, array_length(string_to_array(new.path, '{SEPARATOR}'), 1)
    FROM sources s, unnest(CAST(:paths AS text[])) AS new(path) WHERE s.id = :source
    ORDER BY new.path
    ON CONFLICT DO NOTHING
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
SELECT_ALL_CATEGORY_PATHS = text(
    f"SELECT c.path FROM categories c WHERE c.taxonomy_id = :taxonomy AND {IS_NOT_RETIRED} ORDER BY c.path"
)
SELECT_RETIRED_PATHS = text("SELECT path FROM categories WHERE taxonomy_id = :taxonomy AND retired_at IS NOT NULL")
SELECT_TAXONOMY_NAME = text("SELECT name FROM taxonomies WHERE id = :id")


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
