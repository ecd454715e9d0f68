"""Listings with a label: the latest review, else the seller's category, else the category given by a rule.

A rule can also say that a seller's category means another one, e.g. that "Shrits" is "Shirts".

Training, studies, evaluation and the search for label errors all use ``LABEL_COLUMN`` and ``JOIN_LABEL``.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from pipeline.domain.listing import Evidence, LabelledListing

MAX_DESCRIPTION_LENGTH = 4_000  # characters

# The label of a listing, or NULL. Requires ``JOIN_LABEL``, which itself requires the aliases listings l, revisions r.
LABEL_COLUMN = "coalesce(v.category, g.category, r.seller_category, m.category)"
# A seller's category, or one above it, may have an accepted rule; the rule for the longest path applies.
# A collected listing has no seller's category. Its label is given by the most specific of its categories at the product
# database whose accepted rule names a category; rules without a category are skipped.
JOIN_LABEL = """
    LEFT JOIN LATERAL (SELECT category FROM reviews v WHERE v.listing_id = l.id ORDER BY v.id DESC LIMIT 1) v ON true
    LEFT JOIN LATERAL (
        SELECT c.path AS category, k.name AS source_category FROM provenances p
        CROSS JOIN LATERAL jsonb_array_elements_text(p.categories) WITH ORDINALITY AS k(name, position)
        JOIN category_rules u ON u.source_id = l.source_id AND u.source_category = k.name AND u.status = 'accepted'
        JOIN categories c ON c.id = u.category_id
        WHERE p.listing_id = l.id AND r.seller_category IS NULL
        ORDER BY k.position DESC LIMIT 1
    ) m ON true
    LEFT JOIN LATERAL (
        SELECT c.path || substr(r.seller_category, length(u.source_category) + 1) AS category
        FROM category_rules u JOIN categories c ON c.id = u.category_id
        WHERE r.seller_category IS NOT NULL AND u.source_id = l.source_id AND u.status = 'accepted'
          AND starts_with(r.seller_category || ' >> ', u.source_category || ' >> ')
        ORDER BY length(u.source_category) DESC LIMIT 1
    ) g ON true
"""
SELECT_LABELLED = text(
    f"""
    SELECT l.id, l.external_id, r.name, r.description, r.attributes, {LABEL_COLUMN} AS category,
           (SELECT coalesce(i.storage_key, i.reference) FROM images i
            WHERE i.revision_id = r.id AND i.status IN ('stored', 'pending') ORDER BY i.position LIMIT 1) AS photo
    FROM listings l JOIN sources s ON s.id = l.source_id JOIN revisions r ON r.id = l.current_revision_id {JOIN_LABEL}
    WHERE s.taxonomy_id = :taxonomy AND l.withdrawn_at IS NULL AND {LABEL_COLUMN} IS NOT NULL
    ORDER BY l.id
    """
)
# All listings if there are at most :max, else evenly spaced ones in order of id. Without photos.
SELECT_EVENLY_SPACED = text(
    f"""
    WITH numbered AS (
        SELECT l.id, r.id AS revision_id, {LABEL_COLUMN} AS category,
               row_number() OVER (ORDER BY l.id) AS row_number, count(*) OVER () AS total
        FROM listings l JOIN sources s ON s.id = l.source_id JOIN revisions r ON r.id = l.current_revision_id
        {JOIN_LABEL}
        WHERE s.taxonomy_id = :taxonomy AND l.withdrawn_at IS NULL AND {LABEL_COLUMN} IS NOT NULL
    )
    SELECT l.id, l.external_id, r.name, r.description, r.attributes, numbered.category, NULL AS photo
    FROM numbered JOIN listings l ON l.id = numbered.id JOIN revisions r ON r.id = numbered.revision_id
    WHERE row_number * :max / total > (row_number - 1) * :max / total ORDER BY l.id
    """
)

COUNT_LABELLED = text(
    f"""
    SELECT {LABEL_COLUMN} AS category, count(*) AS number
    FROM listings l JOIN sources s ON s.id = l.source_id JOIN revisions r ON r.id = l.current_revision_id {JOIN_LABEL}
    WHERE s.taxonomy_id = :taxonomy AND l.withdrawn_at IS NULL AND {LABEL_COLUMN} IS NOT NULL GROUP BY 1
    """
)
SELECT_ANY_LABELLED = text(
    f"""
    SELECT EXISTS (
        SELECT 1 FROM listings l JOIN sources s ON s.id = l.source_id
        JOIN revisions r ON r.id = l.current_revision_id {JOIN_LABEL}
        WHERE s.taxonomy_id = :taxonomy AND l.withdrawn_at IS NULL AND {LABEL_COLUMN} IS NOT NULL
    )
    """
)

SELECT_LATEST_TEXTS = text(
    """
    SELECT r.name, left(r.description, :max_description_length) AS description, r.attributes
    FROM listings l JOIN sources s ON s.id = l.source_id JOIN revisions r ON r.id = l.current_revision_id
    WHERE s.taxonomy_id = :taxonomy AND l.withdrawn_at IS NULL ORDER BY l.id DESC LIMIT :limit
    """
)


def labelled_listings(connection: Connection, taxonomy_id: int) -> Iterator[LabelledListing]:
    """All labelled listings of a taxonomy, in order of id."""
    for row in connection.execute(SELECT_LABELLED, {"taxonomy": taxonomy_id}, execution_options={"yield_per": 500}):
        yield LabelledListing(*row)


def evenly_spaced_labelled(connection: Connection, taxonomy_id: int, max_listings: int) -> Iterator[LabelledListing]:
    """At most ``max_listings`` labelled listings of a taxonomy, evenly spaced in order of id, without their photos."""
    parameters = {"taxonomy": taxonomy_id, "max": max_listings}
    for row in connection.execute(SELECT_EVENLY_SPACED, parameters, execution_options={"yield_per": 500}):
        yield LabelledListing(*row)


def count_labelled(connection: Connection, taxonomy_id: int) -> dict[str, int]:
    """The number of labelled listings of a taxonomy by category, those of categories below not counted."""
    rows = connection.execute(COUNT_LABELLED, {"taxonomy": taxonomy_id})
    return {row.category: row.number for row in rows}


def has_labelled(connection: Connection, taxonomy_id: int) -> bool:
    """Whether a taxonomy has a labelled listing."""
    return bool(connection.scalar(SELECT_ANY_LABELLED, {"taxonomy": taxonomy_id}))


def latest_texts(connection: Connection, taxonomy_id: int, limit: int) -> list[Evidence]:
    """The texts of the newest listings of a taxonomy, labelled or not, without photos."""
    parameters = {"taxonomy": taxonomy_id, "limit": limit, "max_description_length": MAX_DESCRIPTION_LENGTH}
    return [Evidence(*row) for row in connection.execute(SELECT_LATEST_TEXTS, parameters)]
