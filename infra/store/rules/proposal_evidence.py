"""The evidence for proposals of rules: collected listings of a source, the decisions on them, and the taxonomy.

However much was collected, what is read is bounded: texts of evenly spaced listings, and the most frequent categories.
Postgres counts all listings.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, text

from infra.store.listings.labelled_listings import spaced_labelled
from pipeline.domain.errors import NotFound
from pipeline.domain.listing import Evidence
from pipeline.domain.rule_proposal import CategoryCounts, CollectedListing, ProposalInputs

MAX_CATEGORIES = 5_000  # of a source, without those that are settled
MAX_TEXT_LENGTH = 4_000  # characters of a description

DECIDED = "CASE WHEN l.status IN ('assigned', 'needs_review') THEN l.category END AS decided, l.status = 'assigned'"
COLLECTED = "listings l JOIN provenances p ON p.listing_id = l.id"
OF_SOURCE = "l.source_id = :source AND l.withdrawn_at IS NULL AND l.current_revision_id IS NOT NULL"
SELECT_TALLIES = text(
    f"""
    WITH met AS (
        SELECT name, decided, sure, count(*) AS number FROM (
            SELECT k.name, {DECIDED} AS sure FROM {COLLECTED}
            CROSS JOIN LATERAL (SELECT DISTINCT value AS name FROM jsonb_array_elements_text(p.categories)) k
            WHERE {OF_SOURCE} AND k.name <> ''
        ) every GROUP BY name, decided, sure
    ), frequent AS (SELECT name FROM met GROUP BY name ORDER BY sum(number) DESC, name LIMIT :most)
    SELECT name, decided, sure, number FROM met JOIN frequent USING (name) ORDER BY name, decided
    """
)
# Evenly spaced listings where there are more than are wanted; otherwise all.
SELECT_SPACED = text(
    f"""
    WITH placed AS (
        SELECT l.id, row_number() OVER (ORDER BY l.id) AS place, count(*) OVER () AS total
        FROM {COLLECTED} WHERE {OF_SOURCE} AND p.categories <> '[]'
    )
    SELECT r.name, left(r.description, :longest) AS description, r.attributes, p.categories, {DECIDED} AS sure
    FROM placed JOIN listings l USING (id) JOIN revisions r ON r.id = l.current_revision_id
    JOIN provenances p ON p.listing_id = l.id
    WHERE place * :most / total > (place - 1) * :most / total ORDER BY l.id
    """
)
SELECT_CATEGORIES = text("SELECT path FROM categories WHERE taxonomy_id = :taxonomy ORDER BY path")
SELECT_TAXONOMY_ID = text("SELECT taxonomy_id FROM sources WHERE id = :source")
SELECT_REFUSED = text(
    """
    SELECT u.source_category, c.path FROM category_rules u LEFT JOIN categories c ON c.id = u.category_id
    WHERE u.source_id = :source AND u.status = 'refused'
    """
)
SELECT_SETTLED = text("SELECT source_category FROM category_rules WHERE source_id = :source AND status = 'accepted'")


def read_evidence(connection: Connection, source_id: int, most_texts: int) -> ProposalInputs:
    """The evidence for a source, with the texts of at most ``most_texts`` listings of it and of its taxonomy each.

    Raises NotFound when there is no such source.
    """
    taxonomy_id = connection.scalar(SELECT_TAXONOMY_ID, {"source": source_id})
    if taxonomy_id is None:
        raise NotFound(f"there is no source {source_id}")
    settled = frozenset(connection.scalars(SELECT_SETTLED, {"source": source_id}))
    refused = connection.execute(SELECT_REFUSED, {"source": source_id})
    return ProposalInputs(
        listings=_listings(connection, source_id, most_texts),
        counts_by_category=_tallies(connection, source_id, MAX_CATEGORIES + len(settled)),
        categories=list(connection.scalars(SELECT_CATEGORIES, {"taxonomy": taxonomy_id})),
        labelled=list(spaced_labelled(connection, taxonomy_id, most_texts)),
        refused=frozenset((row.source_category, row.path) for row in refused),
        with_accepted_rule=settled,
    )


def _tallies(connection: Connection, source_id: int, most: int) -> dict[str, CategoryCounts]:
    support: Counter[str] = Counter()
    decided: dict[str, Counter[str]] = {}
    sure: dict[str, Counter[str]] = {}
    rows = connection.execute(
        SELECT_TALLIES, {"source": source_id, "most": most}, execution_options={"yield_per": 2_000}
    )
    for row in rows:
        support[row.name] += row.number
        if row.decided is not None:
            decided.setdefault(row.name, Counter())[row.decided] += row.number
            if row.sure:
                sure.setdefault(row.name, Counter())[row.decided] += row.number
    return {name: CategoryCounts(count, decided.get(name, {}), sure.get(name, {})) for name, count in support.items()}


def _listings(connection: Connection, source_id: int, most: int) -> list[CollectedListing]:
    wanted = {"source": source_id, "most": most, "longest": MAX_TEXT_LENGTH}
    rows = connection.execute(SELECT_SPACED, wanted, execution_options={"yield_per": 500})
    # Thousands of listings have the same few names: keep one string of each.
    names: dict[str, str] = {}
    return [
        CollectedListing(
            Evidence(row.name, row.description, row.attributes),
            tuple(names.setdefault(name, name) for name in row.categories if name),
            row.decided,
            row.decided is not None and row.sure,
        )
        for row in rows
    ]
