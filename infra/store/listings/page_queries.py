"""What pages show around lists and listings: counts, and sources and categories to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

CHOICES = 500

COUNTS = text(
    """
    SELECT w.status::text AS status, count(l.id) AS number FROM unnest(enum_range(NULL::listing_status)) AS w(status)
    LEFT JOIN (listings l JOIN sources s ON s.id = l.source_id) ON l.status = w.status
      AND (CAST(:ids AS bigint[]) IS NULL OR l.source_id = ANY(CAST(:ids AS bigint[])))
      AND (CAST(:source AS text) IS NULL OR s.name = :source)
    GROUP BY w.status ORDER BY w.status
    """
)
SOURCES = text(
    """
    SELECT s.id, s.name, t.name AS taxonomy, m.number AS model
    FROM sources s JOIN taxonomies t ON t.id = s.taxonomy_id LEFT JOIN model_versions m ON m.id = t.active_model_id
    WHERE CAST(:ids AS bigint[]) IS NULL OR s.id = ANY(CAST(:ids AS bigint[])) ORDER BY s.name
    """
)
CATEGORIES = text(
    """
    SELECT DISTINCT c.path FROM categories c JOIN sources s ON s.taxonomy_id = c.taxonomy_id
    WHERE (CAST(:ids AS bigint[]) IS NULL OR s.id = ANY(CAST(:ids AS bigint[])))
      AND (CAST(:source AS bigint) IS NULL OR s.id = :source)
    ORDER BY c.path LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """A source to choose; ``model`` is the number of the active version of its taxonomy, if it has one."""

    id: int
    name: str
    taxonomy: str
    model: int | None


def count_by_status(
    connection: Connection, source_ids: frozenset[int] | None = None, source: str | None = None
) -> dict[str, int]:
    """How many listings there are of each status, of all the sources one may see or of one of them; 0 for none."""
    rows = connection.execute(COUNTS, {"ids": _ids(source_ids), "source": source})
    return {row.status: row.number for row in rows}


def list_sources(connection: Connection, source_ids: frozenset[int] | None) -> list[SourceChoice]:
    """The sources one may see, by name."""
    return [SourceChoice(*row) for row in connection.execute(SOURCES, {"ids": _ids(source_ids)})]


def list_categories(
    connection: Connection, source_ids: frozenset[int] | None, source_id: int | None = None
) -> list[str]:
    """Paths of the categories of these sources' taxonomies, or of one source's; the first ``CHOICES`` of them."""
    parameters = {"ids": _ids(source_ids), "source": source_id, "limit": CHOICES}
    return list(connection.scalars(CATEGORIES, parameters))


def _ids(source_ids: frozenset[int] | None) -> list[int] | None:
    return None if source_ids is None else sorted(source_ids)
