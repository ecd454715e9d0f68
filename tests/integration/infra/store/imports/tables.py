"""All that imports write, without ids and times, so that two sources can be compared."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

QUERIES = {
    "listings": """
        SELECT l.external_id, l.status, l.category, l.reviewed, l.search, l.withdrawn_at IS NULL, r.number
        FROM listings l LEFT JOIN revisions r ON r.id = l.current_revision_id WHERE l.source_id = :source ORDER BY 1
    """,
    "revisions": """
        SELECT l.external_id, r.number, r.fingerprint, r.name, r.description, r.attributes, r.seller_category
        FROM revisions r JOIN listings l ON l.id = r.listing_id WHERE l.source_id = :source ORDER BY 1, 2
    """,
    "images": """
        SELECT l.external_id, r.number, i.position, i.reference, i.status, i.storage_key
        FROM images i JOIN revisions r ON r.id = i.revision_id JOIN listings l ON l.id = r.listing_id
        WHERE l.source_id = :source ORDER BY 1, 2, 3
    """,
    # In the order in which they are taken.
    "jobs": """
        SELECT l.external_id, r.number, j.kind, j.priority, j.queue, j.state, j.note, j.ended_at IS NULL, j.deadline
        FROM jobs j JOIN revisions r ON r.id = j.revision_id JOIN listings l ON l.id = j.listing_id
        WHERE l.source_id = :source ORDER BY j.id
    """,
    "provenances": """
        SELECT l.external_id, p.database, p.address, p.categories, p.modified_at
        FROM provenances p JOIN listings l ON l.id = p.listing_id WHERE l.source_id = :source ORDER BY 1
    """,
    "verdicts": """
        SELECT i.fingerprint, v.number, v.external_id, l.external_id, v.verdict, v.reason, v.coded_reason, v.note,
               v.coded_notes
        FROM import_rows v JOIN imports i ON i.id = v.import_id LEFT JOIN listings l ON l.id = v.listing_id
        WHERE i.source_id = :source ORDER BY i.id, v.number
    """,
    "imports": """
        SELECT status, new, changed, unchanged, rejected, without_photo, total, complete,
               cursor - 'at' - 'following', vanished
        FROM imports WHERE source_id = :source ORDER BY id
    """,
}


def import_tables(connection: Connection, source_id: int) -> dict[str, list[Any]]:
    """The rows of each table that belong to a source."""
    return {
        name: [tuple(row) for row in connection.execute(text(query), {"source": source_id})]
        for name, query in QUERIES.items()
    }
