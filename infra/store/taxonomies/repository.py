"""Sources on Postgres, with their taxonomies and the categories of these."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from infra.store.sql import storable
from infra.store.taxonomies.queries import find_source
from pipeline.domain.category import SEPARATOR
from pipeline.domain.errors import NotFound
from pipeline.domain.source import Source

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
SELECT_PATHS = text(
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
    """Implements ``pipeline.ports.administration.SourceRepository``."""

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
        return list(self._connection.scalars(SELECT_PATHS, {"source": source_id}))

    def add_categories(self, source_id: int, paths: Iterable[str]) -> None:
        """Add categories, and those above them, where they are missing."""
        add_categories(self._connection, source_id, paths)


def add_categories(connection: Connection, source_id: int, paths: Iterable[str | None]) -> None:
    """Add categories, and those above them, to the taxonomy of a source where they are missing; None is passed over."""
    wanted: set[str] = set()
    for path in filter(None, paths):
        parts = path.split(SEPARATOR)
        wanted.update(SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts) + 1))
    if wanted:
        connection.execute(INSERT_CATEGORIES, {"paths": sorted(wanted), "source": source_id})
