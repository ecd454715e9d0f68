"""Labelled listings to learn from: a review outranks the seller's own category."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from pipeline.domain.work import LabelledListing

LABELLED = text(
    """
    SELECT l.id, l.external_id, r.name, r.description, r.attributes,
           coalesce(v.category, r.seller_category) AS category,
           (SELECT coalesce(i.storage_key, i.reference) FROM images i
            WHERE i.revision_id = r.id AND i.status IN ('stored', 'pending') ORDER BY i.position LIMIT 1) AS photo
    FROM listings l JOIN sources s ON s.id = l.source_id JOIN revisions r ON r.id = l.current_revision_id
    LEFT JOIN LATERAL (SELECT category FROM reviews v WHERE v.listing_id = l.id ORDER BY v.id DESC LIMIT 1) v ON true
    WHERE s.taxonomy_id = :taxonomy AND l.withdrawn_at IS NULL AND coalesce(v.category, r.seller_category) IS NOT NULL
    ORDER BY l.id
    """
)


def labelled_listings(connection: Connection, taxonomy_id: int) -> Iterator[LabelledListing]:
    """All labelled listings of a taxonomy, in the order of their arrival."""
    for row in connection.execution_options(yield_per=500).execute(LABELLED, {"taxonomy": taxonomy_id}):
        yield LabelledListing(*row)
