"""The evidence for rule proposals: collected listings of a source, the decisions on them, and the taxonomy.

What is read is bounded, however much was collected: the texts of evenly spaced listings, and the most frequent
categories. Only the counts, which Postgres computes, cover all listings.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, text

from infra.store.listings.labelled_listings import evenly_spaced_labelled
from pipeline.domain.errors import NotFound
from pipeline.domain.listing import Evidence
from pipeline.domain.rule_proposal import CategoryCounts, CollectedListing, ProposalInputs

MAX_CATEGORIES = 5_000  # of a source, not counting those that have an accepted rule
MAX_DESCRIPTION_LENGTH = 4_000  # characters

DECISION_COLUMNS = """
    CASE WHEN l.status IN ('assigned', 'needs_review') THEN l.category END AS decided, l.status = 'assigned' AS assigned
"""
COLLECTED = "listings l JOIN provenances p ON p.listing_id = l.id"
OF_SOURCE = "l.source_id = :source AND l.withdrawn_at IS NULL AND l.current_revision_id IS NOT NULL"
SELECT_CATEGORY_COUNTS = text(
    f"""
    WITH counts AS (
        SELECT name, decided, assigned, count(*) AS number FROM (
            SELECT k.name, {DECISION_COLUMNS} FROM {COLLECTED}
            CROSS JOIN LATERAL (SELECT DISTINCT value AS name FROM jsonb_array_elements_text(p.categories)) k
            WHERE {OF_SOURCE} AND k.name <> ''
        ) listing GROUP BY name, decided, assigned
    ), frequent AS (SELECT name FROM counts GROUP BY name ORDER BY sum(number) DESC, name LIMIT :limit)
    SELECT name, decided, assigned, number FROM counts JOIN frequent USING (name) ORDER BY name, decided
    """
)
# All listings if there are at most :max, else evenly spaced ones.
SELECT_EVENLY_SPACED = text(
    f"""
    WITH numbered AS (
        SELECT l.id, row_number() OVER (ORDER BY l.id) AS row_number, count(*) OVER () AS total
        FROM {COLLECTED} WHERE {OF_SOURCE} AND p.categories <> '[]'
    )
    SELECT r.name, left(r.description, :max_description_length) AS description, r.attributes, p.categories,
           {DECISION_COLUMNS}
    FROM numbered JOIN listings l USING (id) JOIN revisions r ON r.id = l.current_revision_id
    JOIN provenances p ON p.listing_id = l.id
    WHERE row_number * :max / total > (row_number - 1) * :max / total ORDER BY l.id
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
SELECT_WITH_ACCEPTED_RULE = text(
    "SELECT source_category FROM category_rules WHERE source_id = :source AND status = 'accepted'"
)


def read_proposal_inputs(connection: Connection, source_id: int, max_texts: int) -> ProposalInputs:
    """The evidence for a source, with the texts of at most ``max_texts`` collected and as many labelled listings.

    Raises NotFound when there is no such source.
    """
    taxonomy_id = connection.scalar(SELECT_TAXONOMY_ID, {"source": source_id})
    if taxonomy_id is None:
        raise NotFound(f"there is no source {source_id}")
    with_accepted_rule = frozenset(connection.scalars(SELECT_WITH_ACCEPTED_RULE, {"source": source_id}))
    refused = connection.execute(SELECT_REFUSED, {"source": source_id})
    return ProposalInputs(
        listings=_listings(connection, source_id, max_texts),
        counts_by_category=_category_counts(connection, source_id, MAX_CATEGORIES + len(with_accepted_rule)),
        categories=list(connection.scalars(SELECT_CATEGORIES, {"taxonomy": taxonomy_id})),
        labelled=list(evenly_spaced_labelled(connection, taxonomy_id, max_texts)),
        refused=frozenset((row.source_category, row.path) for row in refused),
        with_accepted_rule=with_accepted_rule,
    )


def _category_counts(connection: Connection, source_id: int, max_categories: int) -> dict[str, CategoryCounts]:
    support: Counter[str] = Counter()
    decided: dict[str, Counter[str]] = {}
    assigned: dict[str, Counter[str]] = {}
    rows = connection.execute(
        SELECT_CATEGORY_COUNTS, {"source": source_id, "limit": max_categories}, execution_options={"yield_per": 2_000}
    )
    for row in rows:
        support[row.name] += row.number
        if row.decided is not None:
            decided.setdefault(row.name, Counter())[row.decided] += row.number
            if row.assigned:
                assigned.setdefault(row.name, Counter())[row.decided] += row.number
    return {
        name: CategoryCounts(count, decided.get(name, {}), assigned.get(name, {})) for name, count in support.items()
    }


def _listings(connection: Connection, source_id: int, max_texts: int) -> list[CollectedListing]:
    parameters = {"source": source_id, "max": max_texts, "max_description_length": MAX_DESCRIPTION_LENGTH}
    rows = connection.execute(SELECT_EVENLY_SPACED, parameters, execution_options={"yield_per": 500})
    # Thousands of listings share few category names: keep one string per name.
    shared_names: dict[str, str] = {}
    return [
        CollectedListing(
            Evidence(row.name, row.description, row.attributes),
            tuple(shared_names.setdefault(name, name) for name in row.categories if name),
            row.decided,
            row.decided is not None and row.assigned,
        )
        for row in rows
    ]
