"""The story of one listing: everything that happened to it, from what was posted to what was decided and by whom."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from infra.store.listings.queries import find_card

LATEST_EVENTS = 200

REVISIONS = """
    SELECT id, number, name, description, attributes, seller_category, fingerprint, created_at
    FROM revisions WHERE listing_id = :id ORDER BY number DESC
"""
IMAGES = """
    SELECT i.revision_id, i.position, i.reference, i.status, i.reason, i.coded_reason
    FROM images i JOIN revisions r ON r.id = i.revision_id WHERE r.listing_id = :id ORDER BY i.revision_id, i.position
"""
PREDICTIONS = """
    SELECT p.revision_id, m.id AS model_id, m.number AS model, m.status AS model_status, p.modality, p.ranked,
           p.created_at
    FROM predictions p JOIN revisions r ON r.id = p.revision_id JOIN model_versions m ON m.id = p.model_id
    WHERE r.listing_id = :id ORDER BY p.revision_id, m.number DESC, p.modality
"""
DECISIONS = """
    SELECT d.revision_id, d.model_id, m.number AS model, d.status, d.category, d.confidence, d.reason,
           d.coded_reason, d.provisional, d.created_at
    FROM decisions d JOIN revisions r ON r.id = d.revision_id LEFT JOIN model_versions m ON m.id = d.model_id
    WHERE r.listing_id = :id ORDER BY d.revision_id, d.created_at DESC, d.id DESC
"""
JOBS = """
    SELECT id, revision_id, priority, queue, state, attempt, failures, alone, note, not_before, created_at, ended_at
    FROM jobs WHERE revision_id IN (SELECT id FROM revisions WHERE listing_id = :id) ORDER BY id DESC
"""
ATTEMPTS = """
    SELECT a.job_id, a.attempt, a.worker, a.outcome, a.error, a.seconds, a.started_at, a.ended_at
    FROM attempts a JOIN jobs j ON j.id = a.job_id
    WHERE j.revision_id IN (SELECT id FROM revisions WHERE listing_id = :id) ORDER BY a.job_id, a.attempt
"""
REVIEWS = """
    SELECT v.id, r.number AS revision, v.category, v.reviewer, v.note, v.created_at
    FROM reviews v JOIN revisions r ON r.id = v.revision_id WHERE v.listing_id = :id ORDER BY v.id DESC
"""
# When it was last met there is told by imports: a product that is as it was is not written again.
PROVENANCE = """
    SELECT p.database, p.address, p.categories, p.modified_at, coalesce(i.met_at, p.seen_at) AS seen_at, i.import_id
    FROM provenances p LEFT JOIN LATERAL (
        SELECT m.id AS import_id, coalesce(m.ended_at, now()) AS met_at FROM import_rows r
        JOIN imports m ON m.id = r.import_id WHERE r.listing_id = p.listing_id ORDER BY m.id DESC LIMIT 1) i ON true
    WHERE p.listing_id = :id
"""
EVENTS = "SELECT id, kind, payload, created_at FROM events WHERE listing_id = :id ORDER BY id DESC LIMIT :limit"


def read_story(
    connection: Connection, listing_id: int, source_ids: frozenset[int] | None = None
) -> dict[str, Any] | None:
    """The listing's card with ``revisions`` (newest first; each with ``images``, ``predictions``, ``decisions`` and
    ``jobs``, these with their ``attempts``), ``reviews``, ``events`` and ``provenance``: where a collected one comes
    from, None for any other.

    None when there is no such listing, or none of these sources.
    """
    card = find_card(connection, listing_id, source_ids)
    if card is None:
        return None
    revisions = _rows(connection, REVISIONS, listing_id)
    jobs = _rows(connection, JOBS, listing_id)
    _nest(jobs, "attempts", _rows(connection, ATTEMPTS, listing_id), "job_id")
    _nest(revisions, "images", _rows(connection, IMAGES, listing_id), "revision_id")
    predictions = _rows(connection, PREDICTIONS, listing_id)
    for prediction in predictions:
        prediction["ranked"] = [{"category": c, "probability": p} for c, p in prediction["ranked"]]
    _nest(revisions, "predictions", predictions, "revision_id")
    _nest(revisions, "decisions", _rows(connection, DECISIONS, listing_id), "revision_id")
    _nest(revisions, "jobs", jobs, "revision_id")
    return card | {
        "revisions": revisions,
        "reviews": _rows(connection, REVIEWS, listing_id),
        "events": _rows(connection, EVENTS, listing_id),
        "provenance": next(iter(_rows(connection, PROVENANCE, listing_id)), None),
    }


def _rows(connection: Connection, statement: str, listing_id: int) -> list[dict[str, Any]]:
    parameters = {"id": listing_id} | ({"limit": LATEST_EVENTS} if ":limit" in statement else {})
    return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]


def _nest(parents: list[dict[str, Any]], name: str, children: list[dict[str, Any]], foreign_key: str) -> None:
    """Put each child into the list ``name`` of its parent."""
    by_id = {parent["id"]: parent.setdefault(name, []) for parent in parents}
    for child in children:
        by_id[child.pop(foreign_key)].append(child)
