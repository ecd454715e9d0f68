"""Listings as if they had been collected: with the categories they have at their source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from pipeline.domain.source import Source

NEW = text(
    """
    INSERT INTO listings (source_id, external_id, status) VALUES (:source, :id, 'pending')
    ON CONFLICT (source_id, external_id) DO UPDATE SET updated_at = now() RETURNING id, current_revision_id
    """
)
REVISION = text(
    "INSERT INTO revisions (listing_id, number, fingerprint, name, description, attributes) "
    "VALUES (:listing, 1, '', :name, '', '{}') RETURNING id"
)
CURRENT = text("UPDATE listings SET current_revision_id = :revision WHERE id = :listing")
FOUND = text(
    """
    INSERT INTO provenances (listing_id, database, address, categories)
    VALUES (:listing, 'openfoodfacts', 'https://world.openfoodfacts.org/product/1', CAST(:categories AS jsonb))
    """
)
DECIDE = text(
    "UPDATE listings SET status = CAST(:status AS listing_status), category = :category, confidence = 0.9 "
    "WHERE id = :listing"
)


def collect(
    connection: Connection,
    source: Source,
    products: Mapping[str, Sequence[str]],
    names: Mapping[str, str] | None = None,
    decided: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Listings by external id with these categories at the source; ``decided`` are assigned by a model. Their ids."""
    ids = {}
    for external_id, categories in products.items():
        found = connection.execute(NEW, {"source": source.id, "id": external_id}).one()
        ids[external_id] = found.id
        if found.current_revision_id is None:
            name = (names or {}).get(external_id, external_id)
            revision = connection.scalar(REVISION, {"listing": found.id, "name": name})
            connection.execute(CURRENT, {"listing": found.id, "revision": revision})
        connection.execute(FOUND, {"listing": found.id, "categories": json.dumps(list(categories))})
        if decided and external_id in decided:
            connection.execute(DECIDE, {"listing": found.id, "category": decided[external_id], "status": "assigned"})
    return ids
