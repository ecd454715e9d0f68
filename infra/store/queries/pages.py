"""What the pages show around lists and stories: counts, choices, dead letters, model versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from infra.access import Grant, Scope

CHOICES = 500
LETTERS = 100

GRANT = text(
    """
    SELECT k.id, k.name, k.scopes, k.every_source,
           ARRAY(SELECT source_id FROM api_key_sources s WHERE s.api_key_id = k.id) AS source_ids
    FROM api_keys k WHERE k.id = :id AND k.revoked_at IS NULL
    """
)
COUNTS = text(
    """
    SELECT l.status, count(*) AS number FROM listings l JOIN sources s ON s.id = l.source_id
    WHERE (CAST(:ids AS bigint[]) IS NULL OR l.source_id = ANY(CAST(:ids AS bigint[])))
      AND (CAST(:source AS text) IS NULL OR s.name = :source)
    GROUP BY l.status
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
DEAD = text(
    """
    SELECT d.id, d.job_id, d.reason, d.created_at, j.kind, j.attempt, j.listing_id, r.name, s.name AS source,
           EXISTS (SELECT 1 FROM jobs o WHERE o.revision_id = j.revision_id
                   AND o.state IN ('waiting', 'sent', 'leased')) AS again
    FROM dead_letters d JOIN jobs j ON j.id = d.job_id LEFT JOIN revisions r ON r.id = j.revision_id
    LEFT JOIN listings l ON l.id = j.listing_id LEFT JOIN sources s ON s.id = l.source_id
    WHERE d.replayed_at IS NULL
      AND (CAST(:ids AS bigint[]) IS NULL OR l.source_id = ANY(CAST(:ids AS bigint[])))
    ORDER BY d.id DESC LIMIT :limit
    """
)
MODELS = text(
    """
    SELECT m.id, m.number, m.status, m.created_at, m.promoted_at, t.name AS taxonomy, m.manifest->'metrics' AS metrics,
           m.manifest->>'examples' AS examples
    FROM model_versions m JOIN taxonomies t ON t.id = m.taxonomy_id
    WHERE CAST(:ids AS bigint[]) IS NULL OR EXISTS (SELECT 1 FROM sources s WHERE s.taxonomy_id = t.id
                                                    AND s.id = ANY(CAST(:ids AS bigint[])))
    ORDER BY t.name, m.number DESC LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """A source to choose; ``model`` is the number of the active version of its taxonomy, if it has one."""

    id: int
    name: str
    taxonomy: str
    model: int | None


def grant_of_key(connection: Connection, key_id: int) -> Grant | None:
    """What a key allows, by its id; None when it was revoked or removed."""
    row = connection.execute(GRANT, {"id": key_id}).first()
    if row is None:
        return None
    source_ids = None if row.every_source else frozenset(row.source_ids)
    return Grant(row.id, row.name, frozenset(Scope(scope) for scope in row.scopes), source_ids)


def count_by_status(connection: Connection, source_ids: frozenset[int] | None, source: str | None) -> dict[str, int]:
    """How many listings there are of each status, of all the sources one may see or of one of them."""
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


def open_dead_letters(connection: Connection, source_ids: frozenset[int] | None) -> list[dict[str, Any]]:
    """Dead letters nobody replayed, newest first, at most ``LETTERS``; ``again``: another job works on the same."""
    return _rows(connection, DEAD, {"ids": _ids(source_ids), "limit": LETTERS})


def list_models(connection: Connection, source_ids: frozenset[int] | None) -> list[dict[str, Any]]:
    """Model versions with the metrics of their manifest, by taxonomy, newest first."""
    return _rows(connection, MODELS, {"ids": _ids(source_ids), "limit": CHOICES})


def _ids(source_ids: frozenset[int] | None) -> list[int] | None:
    return None if source_ids is None else sorted(source_ids)


def _rows(connection: Connection, statement: Any, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement, parameters).mappings()]
