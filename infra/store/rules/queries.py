"""Rules of a source as lists show them, with listings they speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

EXAMPLES = 3
CHOICES = 2_000

# Of one source.
RULE = """
    SELECT u.id, u.source_category, c.path AS category, u.status::text AS status, u.score, u.similarity, u.agreement,
           u.support, u.grounds, u.decided_by, u.created_at, u.updated_at
    FROM category_rules u LEFT JOIN categories c ON c.id = u.category_id WHERE u.source_id = :source
"""
ORDER = "ORDER BY coalesce(u.score, -1) DESC, u.support DESC, u.id"
AFTER = "AND (coalesce(u.score, -1), u.support, -u.id) < (:score, :support, -CAST(:id AS bigint))"
COUNTS = text("SELECT status::text, count(*) AS number FROM category_rules WHERE source_id = :source GROUP BY 1")
# All that coverage and conflicts take from the rules.
VERSION = text(
    """
    SELECT count(*), coalesce(bit_xor(hashtextextended(concat_ws(':', id, category_id, status::text), 0)), 0)
    FROM category_rules WHERE source_id = :source
    """
)
LIKELY = text(
    """
    SELECT t.score, count(DISTINCT u.source_category) AS number FROM unnest(CAST(:scores AS float8[])) AS t(score)
    JOIN category_rules u ON u.source_id = :source AND u.status = 'proposed' AND u.score >= t.score GROUP BY t.score
    """
)
SHOWING = text(
    """
    SELECT n.name AS source_category, e.id, e.name FROM unnest(CAST(:names AS text[])) AS n(name) CROSS JOIN LATERAL (
        SELECT l.id, coalesce(nullif(r.name, ''), l.external_id) AS name
        FROM provenances p JOIN listings l ON l.id = p.listing_id JOIN revisions r ON r.id = l.current_revision_id
        WHERE p.categories ? n.name AND l.source_id = :source AND l.withdrawn_at IS NULL LIMIT :most
    ) e
    """
)
SOURCES = text(
    """
    SELECT s.id, s.name FROM sources s WHERE (CAST(:ids AS bigint[]) IS NULL OR s.id = ANY(CAST(:ids AS bigint[])))
    AND (EXISTS (SELECT 1 FROM imports i WHERE i.source_id = s.id AND i.query IS NOT NULL)
         OR EXISTS (SELECT 1 FROM category_rules u WHERE u.source_id = s.id)) ORDER BY s.name
    """
)
CATEGORIES = text(
    "SELECT path FROM categories c JOIN sources s ON s.taxonomy_id = c.taxonomy_id WHERE s.id = :source "
    "ORDER BY path LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class RulePlace:
    """Where a page of rules ended: the order is by score, the highest first, then by support, then by age."""

    score: float
    support: int
    id: int


def list_rules(
    connection: Connection, source_id: int, status: str | None = None, after: RulePlace | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Rules of a source, the most believed first, each with up to three of the listings it speaks of."""
    conditions = "AND u.status = CAST(:status AS rule_status) " if status else ""
    statement = f"{RULE} {conditions} {AFTER if after else ''} {ORDER} LIMIT :limit"
    wanted: dict[str, Any] = {"source": source_id, "limit": limit}
    wanted |= {"status": status} if status else {}
    wanted |= {"score": after.score, "support": after.support, "id": after.id} if after else {}
    found = [dict(row) for row in connection.execute(text(statement), wanted).mappings()]
    return _with_examples(connection, source_id, found)


def place_of(rule: Mapping[str, Any]) -> RulePlace:
    """Where a page that ends with this rule ended."""
    return RulePlace(-1.0 if rule["score"] is None else rule["score"], rule["support"], rule["id"])


def find_rule(connection: Connection, source_id: int, rule_id: int) -> dict[str, Any] | None:
    """One rule of a source, or None."""
    row = connection.execute(text(f"{RULE} AND u.id = :id"), {"source": source_id, "id": rule_id}).mappings().first()
    return None if row is None else _with_examples(connection, source_id, [dict(row)])[0]


def rules_of(connection: Connection, source_id: int, source_category: str) -> list[dict[str, Any]]:
    """The rules of one category of a source, the most believed first."""
    statement = text(f"{RULE} AND u.source_category = :name {ORDER}")
    rows = connection.execute(statement, {"source": source_id, "name": source_category})
    return [dict(row) for row in rows.mappings()]


def every_rule(connection: Connection, source_id: int) -> list[dict[str, Any]]:
    """All rules of a source by the names of its categories, for a file."""
    rows = connection.execute(text(f"{RULE} ORDER BY u.source_category, u.status, u.id"), {"source": source_id})
    return [dict(row) for row in rows.mappings()]


def count_rules(connection: Connection, source_id: int) -> dict[str, int]:
    """How many rules of a source there are of each status."""
    found = {row.status: row.number for row in connection.execute(COUNTS, {"source": source_id})}
    return {status: found.get(status, 0) for status in ("proposed", "accepted", "refused")}


def rules_version(connection: Connection, source_id: int) -> tuple[int, int]:
    """What changes whenever a rule of the source comes, goes, is decided or means another category."""
    number, digest = connection.execute(VERSION, {"source": source_id}).one()
    return int(number), int(digest)


def count_likely(connection: Connection, source_id: int, scores: Sequence[float]) -> dict[float, int]:
    """How many of a source's categories have a proposal of at least each of these scores."""
    rows = connection.execute(LIKELY, {"source": source_id, "scores": list(scores)})
    found = {row.score: row.number for row in rows}
    return {score: found.get(score, 0) for score in scores}


def mapped_sources(connection: Connection, source_ids: frozenset[int] | None) -> list[str]:
    """Names of the sources among these (None: all) that were collected from a product database, or have rules."""
    ids = None if source_ids is None else sorted(source_ids)
    return [row.name for row in connection.execute(SOURCES, {"ids": ids})]


def category_choices(connection: Connection, source_id: int) -> list[str]:
    """The categories of a source's taxonomy, the first ``CHOICES`` of them."""
    return list(connection.scalars(CATEGORIES, {"source": source_id, "most": CHOICES}))


def _with_examples(connection: Connection, source_id: int, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = sorted({rule["source_category"] for rule in rules})
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(SHOWING, {"names": names, "source": source_id, "most": EXAMPLES}):
        found.setdefault(row.source_category, []).append({"id": row.id, "name": row.name})
    return [rule | {"examples": found.get(rule["source_category"], [])} for rule in rules]
