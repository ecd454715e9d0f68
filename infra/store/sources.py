"""Sources of listings, and the taxonomy that each belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, ForeignKey, Row, text
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr
from infra.store.sql_fragments import storable, visible_to
from infra.store.taxonomies.repository import add_categories
from pipeline.domain.category import SEPARATOR
from pipeline.domain.category_notation import CategoryChoice, CategoryNotation
from pipeline.domain.errors import NotFound
from pipeline.domain.source import Source


class SourceRow(Base):
    """A source of listings; it names the taxonomy that its listings are categorised in."""

    __tablename__ = "sources"

    id: Mapped[PrimaryKey]
    name: Mapped[TextStr] = mapped_column(unique=True)
    taxonomy_id: Mapped[int] = mapped_column(ForeignKey("taxonomies.id"), index=True)
    # The notation of its categories; NULL leaves it to what is recognised.
    category_separator: Mapped[TextStr | None]
    category_list_separator: Mapped[TextStr | None]
    category_choice: Mapped[TextStr | None]
    created_at: Mapped[CreatedAt]


INSERT_TAXONOMY = text("INSERT INTO taxonomies (name) VALUES (:taxonomy) ON CONFLICT DO NOTHING")
INSERT_SOURCE = text(
    "INSERT INTO sources (name, taxonomy_id) SELECT :name, id FROM taxonomies WHERE name = :taxonomy "
    "ON CONFLICT DO NOTHING"
)
UPDATE_NOTATION = text(
    "UPDATE sources SET category_separator = :separator, category_list_separator = :list_separator, "
    "category_choice = :choice WHERE id = :source"
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
RETIRE_CATEGORY = text(
    f"""
    UPDATE categories SET retired_at = now(), updated_at = now() WHERE taxonomy_id = :taxonomy AND retired_at IS NULL
    AND starts_with(path || '{SEPARATOR}', :path || '{SEPARATOR}')
    """
)
RESTORE_CATEGORY = text(
    f"""
    UPDATE categories SET retired_at = NULL, updated_at = now() WHERE taxonomy_id = :taxonomy AND retired_at IS NOT NULL
    AND starts_with(path || '{SEPARATOR}', :path || '{SEPARATOR}')
    """
)


class SqlSources:
    """Implements ``pipeline.ports.administration_repositories.SourceRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> Source | None:
        """The source with this name, or None."""
        return find_source(self._connection, name)

    def add(self, name: str, taxonomy: str) -> Source:
        """Add a source and its taxonomy if they are missing; a concurrent unit may have added them first."""
        names = {"name": storable(name), "taxonomy": storable(taxonomy)}
        self._connection.execute(INSERT_TAXONOMY, names)
        self._connection.execute(INSERT_SOURCE, names)
        source = self.find(name)
        assert source is not None
        return source

    def set_notation(self, source_id: int, notation: CategoryNotation) -> None:
        """Store how the source writes categories."""
        parameters = {
            "source": source_id,
            "separator": storable(notation.separator),
            "list_separator": storable(notation.list_separator),
            "choice": notation.choice,
        }
        self._connection.execute(UPDATE_NOTATION, parameters)

    def lock(self, source_id: int) -> None:
        """Lock the source until the unit ends; NotFound when there is none."""
        if self._connection.scalar(LOCK_SOURCE, {"source": source_id}) is None:
            raise NotFound(f"there is no source {source_id}")

    def taxonomies_with_model(self) -> list[str]:
        """Names of the taxonomies that have an active model version, at most two of them."""
        return list(self._connection.scalars(SELECT_TAXONOMIES_WITH_MODEL))

    def has_category(self, source_id: int, path: str) -> bool:
        """Whether a source's taxonomy has the category with this path."""
        return self._connection.scalar(SELECT_CATEGORY, {"source": source_id, "path": path}) is not None

    def category_paths(self, source_id: int) -> list[str]:
        """The paths of the categories of a source's taxonomy."""
        return list(self._connection.scalars(SELECT_PATHS_OF_SOURCE, {"source": source_id}))

    def add_categories(self, source_id: int, paths: Iterable[str]) -> None:
        """Add missing categories and their missing ancestors."""
        add_categories(self._connection, source_id, paths)

    def retire_category(self, taxonomy_id: int, path: str) -> int:
        """Retire a category and those below it; returns how many were not retired."""
        return self._connection.execute(RETIRE_CATEGORY, {"taxonomy": taxonomy_id, "path": path}).rowcount

    def restore_category(self, taxonomy_id: int, path: str) -> int:
        """Undo the retirement of a category and of those below it; returns how many were retired."""
        return self._connection.execute(RESTORE_CATEGORY, {"taxonomy": taxonomy_id, "path": path}).rowcount


SELECT_SOURCE = text(
    """
    SELECT s.id, s.name, s.taxonomy_id, t.name AS taxonomy,
           s.category_separator, s.category_list_separator, s.category_choice
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


def find_source(connection: Connection, name: str) -> Source | None:
    """The source with this name, or None."""
    row = connection.execute(SELECT_SOURCE, {"name": name}).first()
    return None if row is None else _source(row)


SELECT_SOURCES = text(
    """
    SELECT s.id, s.name, s.taxonomy_id, t.name AS taxonomy,
           s.category_separator, s.category_list_separator, s.category_choice
    FROM sources s JOIN taxonomies t ON t.id = s.taxonomy_id WHERE :every OR s.id = ANY(:sources) ORDER BY s.name
    """
)


def all_sources(connection: Connection, source_ids: frozenset[int] | None) -> list[Source]:
    """The visible sources (None: all) with their notation of categories, by name."""
    return [_source(row) for row in connection.execute(SELECT_SOURCES, visible_to(source_ids))]


def _source(row: Row[Any]) -> Source:
    choice = CategoryChoice(row.category_choice) if row.category_choice else None
    notation = CategoryNotation(row.category_separator, row.category_list_separator, choice)
    return Source(row.id, row.name, row.taxonomy_id, row.taxonomy, notation)


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """A source to choose from a list; ``model`` is the number of its taxonomy's active version, None without one."""

    id: int
    name: str
    taxonomy: str
    model: int | None


def list_sources(connection: Connection, source_ids: frozenset[int] | None) -> list[SourceChoice]:
    """The visible sources (None: all), by name."""
    return [SourceChoice(*row) for row in connection.execute(SELECT_SOURCE_CHOICES, visible_to(source_ids))]
