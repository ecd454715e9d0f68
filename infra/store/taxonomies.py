"""Taxonomies, their categories, and the sources that belong to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr
from infra.store.sql_fragments import storable, visible_to
from pipeline.domain.category import SEPARATOR
from pipeline.domain.display_text import listed
from pipeline.domain.errors import NotFound
from pipeline.domain.source import Source, Taxonomy


class TaxonomyRow(Base):
    """A taxonomy and its pointer to the active model version; deciding transactions lock this row FOR SHARE."""

    __tablename__ = "taxonomies"
    __table_args__ = (
        # Composite, so that the active version can only be one of this very taxonomy.
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
    """A category of a taxonomy, by its canonical path text."""

    __tablename__ = "categories"
    __table_args__ = (
        UniqueConstraint("taxonomy_id", "path"),
        CheckConstraint("level >= 1", name="level"),
    )

    id: Mapped[PrimaryKey]
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id", ondelete="CASCADE"))
    path: Mapped[TextStr]
    level: Mapped[int]
    created_at: Mapped[CreatedAt]


class SourceRow(Base):
    """Where listings come from; a source names the taxonomy of its listings."""

    __tablename__ = "sources"

    id: Mapped[PrimaryKey]
    name: Mapped[TextStr] = mapped_column(unique=True)
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id"), index=True)
    created_at: Mapped[CreatedAt]


INSERT_TAXONOMY = text("INSERT INTO taxonomies (name) VALUES (:taxonomy) ON CONFLICT DO NOTHING")
INSERT_SOURCE = text(
    "INSERT INTO sources (name, taxonomy_id) SELECT :name, id FROM taxonomies WHERE name = :taxonomy "
    "ON CONFLICT DO NOTHING"
)
LOCK_SOURCE = text("SELECT id FROM sources WHERE id = :source FOR NO KEY UPDATE")
SELECT_TAXONOMIES_WITH_MODEL = text(
    "SELECT name FROM taxonomies WHERE active_model_id IS NOT NULL ORDER BY name LIMIT 2"
)
SELECT_CATEGORY = text(
    "SELECT 1 FROM categories c JOIN sources s ON s.taxonomy_id = c.taxonomy_id WHERE s.id = :source AND c.path = :path"
)
SELECT_PATHS_OF_SOURCE = text(
    "SELECT path FROM categories c JOIN sources s ON s.taxonomy_id = c.taxonomy_id WHERE s.id = :source ORDER BY path"
)
INSERT_CATEGORIES = text(
    f"""
    INSERT INTO categories (taxonomy_id, path, level)
    SELECT s.taxonomy_id, new.path, array_length(string_to_array(new.path, '{SEPARATOR}'), 1)
    FROM sources s, unnest(CAST(:paths AS text[])) AS new(path) WHERE s.id = :source
    ORDER BY new.path
    ON CONFLICT DO NOTHING
    """
)


class SqlSources:
    """Implements ``pipeline.ports.administration_repositories.SourceRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> Source | None:
        """The source of this name, or None."""
        return find_source(self._connection, name)

    def add(self, name: str, taxonomy: str) -> Source:
        """Add a source and its taxonomy where they are missing; a concurrent unit may have added them first."""
        names = {"name": storable(name), "taxonomy": storable(taxonomy)}
        self._connection.execute(INSERT_TAXONOMY, names)
        self._connection.execute(INSERT_SOURCE, names)
        source = self.find(name)
        assert source is not None
        return source

    def lock(self, source_id: int) -> None:
        """Lock the source until the unit ends; NotFound when there is none."""
        if self._connection.scalar(LOCK_SOURCE, {"source": source_id}) is None:
            raise NotFound(f"there is no source {source_id}")

    def taxonomies_with_model(self) -> list[str]:
        """Names of the taxonomies that have an active model version, two of them at most."""
        return list(self._connection.scalars(SELECT_TAXONOMIES_WITH_MODEL))

    def has_category(self, source_id: int, path: str) -> bool:
        """Whether a source's taxonomy has the category of this path."""
        return self._connection.scalar(SELECT_CATEGORY, {"source": source_id, "path": path}) is not None

    def category_paths(self, source_id: int) -> list[str]:
        """The paths of the categories of a source's taxonomy."""
        return list(self._connection.scalars(SELECT_PATHS_OF_SOURCE, {"source": source_id}))

    def add_categories(self, source_id: int, paths: Iterable[str]) -> None:
        """Add categories, and those above them, where they are missing."""
        add_categories(self._connection, source_id, paths)


def add_categories(connection: Connection, source_id: int, paths: Iterable[str | None]) -> None:
    """Add categories, and those above them, to the taxonomy of a source where they are missing; None is skipped."""
    wanted: set[str] = set()
    for path in filter(None, paths):
        parts = path.split(SEPARATOR)
        wanted.update(SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts) + 1))
    if wanted:
        connection.execute(INSERT_CATEGORIES, {"paths": sorted(wanted), "source": source_id})


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
    """The visible sources (None: all), by name."""
    return [SourceChoice(*row) for row in connection.execute(SELECT_SOURCE_CHOICES, visible_to(source_ids))]


def list_categories(
    connection: Connection, source_ids: frozenset[int] | None, source_id: int | None = None
) -> list[str]:
    """Paths of the categories of these sources' taxonomies, or of one source's; at most ``MAX_CATEGORY_PATHS``."""
    parameters = visible_to(source_ids) | {"source": source_id, "limit": MAX_CATEGORY_PATHS}
    return list(connection.scalars(SELECT_CATEGORY_PATHS, parameters))
