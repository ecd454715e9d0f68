"""Where collected listings come from: written when it is new or different, and else left alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, text

from infra.store.sql import storable
from pipeline.domain.product_source import Provenance

# The comparison comes first: an insert that meets a row would write to it even when nothing differs. In order of
# listing, so that two imports of the same products wait for each other instead of deadlocking.
KEEP = text(
    """
    INSERT INTO provenances (listing_id, database, address, categories, modified_at)
    SELECT n.listing, n.database, n.address, CAST(n.categories AS jsonb), CAST(n.modified AS timestamptz)
    FROM unnest(CAST(:listings AS bigint[]), CAST(:databases AS text[]), CAST(:addresses AS text[]),
                CAST(:categories AS text[]), CAST(:moments AS text[]))
         AS n(listing, database, address, categories, modified)
    LEFT JOIN provenances p ON p.listing_id = n.listing
    WHERE p.listing_id IS NULL
       OR (p.database, p.address, p.categories, p.modified_at) IS DISTINCT FROM
          (n.database, n.address, CAST(n.categories AS jsonb), CAST(n.modified AS timestamptz))
    ORDER BY n.listing
    ON CONFLICT (listing_id) DO UPDATE SET database = excluded.database, address = excluded.address,
        categories = excluded.categories, modified_at = excluded.modified_at, seen_at = now()
    """
)


OF = text("SELECT listing_id, database FROM provenances WHERE listing_id = ANY(:listings)")


class SqlProvenances:
    """Implements ``pipeline.ports.repositories.ProvenanceRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(self, provenances: Mapping[int, Provenance]) -> int:
        """Write what is new or different, by listing; returns how many were."""
        kept = list(provenances.values())
        written = self._connection.execute(
            KEEP,
            {
                "listings": list(provenances),
                "databases": [one.source for one in kept],
                "addresses": [storable(one.address) for one in kept],
                "categories": [storable(json.dumps(list(one.categories))) for one in kept],
                "moments": [one.modified_at and one.modified_at.isoformat() for one in kept],
            },
        )
        return written.rowcount


def databases_of(connection: Connection, listing_ids: Iterable[int]) -> dict[int, str]:
    """The database that each of these listings was collected from; those that were not, or are gone, are left out."""
    return {row.listing_id: row.database for row in connection.execute(OF, {"listings": list(listing_ids)})}
