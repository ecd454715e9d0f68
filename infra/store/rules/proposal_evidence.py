"""What a source's categories are judged by: its collected listings, what was decided for them, and the taxonomy.

However much was collected, what is read is bounded: texts of evenly spaced listings, the most frequent categories; only
the counts are those of all listings, made by Postgres.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from infra.store.listings.labels import spaced_labelled
from infra.store.rules.repository import refused_rules, settled_categories
from pipeline.domain.errors import NotFound
from pipeline.domain.listing import Evidence, LabelledListing
from pipeline.domain.rule import CollectedListing, Tally

MOST_CATEGORIES = 5_000  # of a source, without those that are settled
LONGEST_TEXT = 4_000  # characters of a description

DECIDED = "CASE WHEN l.status IN ('assigned', 'needs_review') THEN l.category END AS decided, l.status = 'assigned'"
COLLECTED = "listings l JOIN provenances p ON p.listing_id = l.id"
OF_SOURCE = "l.source_id = :source AND l.withdrawn_at IS NULL AND l.current_revision_id IS NOT NULL"
TALLIES = text(
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
# The places are evenly spaced where there are more than are wanted; else it is every one.
SPACED = text(
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
CATEGORIES = text("SELECT path FROM categories WHERE taxonomy_id = :taxonomy ORDER BY path")
TAXONOMY = text("SELECT taxonomy_id FROM sources WHERE id = :source")


@dataclass(frozen=True, slots=True)
class MappingMaterial:
    """What a proposal of rules is made from; see ``pipeline.category_mapping.proposals.propose_rules`` for each."""

    listings: Sequence[CollectedListing]
    tallies: Mapping[str, Tally]
    categories: Sequence[str]
    labelled: Sequence[LabelledListing]
    refused: frozenset[tuple[str, str | None]]
    settled: frozenset[str]


def read_material(connection: Connection, source_id: int, most_texts: int) -> MappingMaterial:
    """What is known of a source's categories, with the texts of at most so many listings of it and of its taxonomy.

    Raises NotFound when there is no such source.
    """
    taxonomy_id = connection.scalar(TAXONOMY, {"source": source_id})
    if taxonomy_id is None:
        raise NotFound(f"there is no source {source_id}")
    settled = frozenset(settled_categories(connection, source_id))
    tallies = _tallies(connection, source_id, MOST_CATEGORIES + len(settled))
    return MappingMaterial(
        listings=_listings(connection, source_id, most_texts),
        tallies=tallies,
        categories=list(connection.scalars(CATEGORIES, {"taxonomy": taxonomy_id})),
        labelled=list(spaced_labelled(connection, taxonomy_id, most_texts)),
        refused=frozenset(refused_rules(connection, source_id)),
        settled=settled,
    )


def _tallies(connection: Connection, source_id: int, most: int) -> dict[str, Tally]:
    support: Counter[str] = Counter()
    decided: dict[str, Counter[str]] = {}
    sure: dict[str, Counter[str]] = {}
    rows = connection.execute(TALLIES, {"source": source_id, "most": most}, execution_options={"yield_per": 2_000})
    for row in rows:
        support[row.name] += row.number
        if row.decided is not None:
            decided.setdefault(row.name, Counter())[row.decided] += row.number
            if row.sure:
                sure.setdefault(row.name, Counter())[row.decided] += row.number
    return {name: Tally(count, decided.get(name, {}), sure.get(name, {})) for name, count in support.items()}


def _listings(connection: Connection, source_id: int, most: int) -> list[CollectedListing]:
    wanted = {"source": source_id, "most": most, "longest": LONGEST_TEXT}
    rows = connection.execute(SPACED, wanted, execution_options={"yield_per": 500})
    # The same few names stand in thousands of listings: one text each.
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
