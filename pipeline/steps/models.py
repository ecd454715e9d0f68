"""Model versions: save a trained version as a candidate, promote it to the active version, roll back.

Promotion and rollback requeue listings, except those on which the version already has a final decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.domain.errors import Conflict
from pipeline.ports.unit_of_work import UnitOfWork, UnitsOfWork
from pipeline.steps.rules import request_proposals_after_promotion


@dataclass(frozen=True, slots=True)
class SavedVersion:
    """A saved model version; ``requeued`` is the number of listings to decide again, None if it is a candidate."""

    model_id: int
    number: int
    requeued: int | None


def save_version(units: UnitsOfWork, taxonomy_id: int, manifest: Mapping[str, Any], *, promote: bool) -> SavedVersion:
    """Save a trained version as a candidate; with ``promote``, or if none is active, make it the active version."""
    with units() as unit:
        unit.models.lock_taxonomy(taxonomy_id)
        number = unit.models.next_number(taxonomy_id)
        promote = promote or unit.models.active(taxonomy_id) is None
        model_id = unit.models.add(taxonomy_id, number, manifest)
        requeued = _promote(unit, taxonomy_id, model_id) if promote else None
        unit.commit()
        return SavedVersion(model_id, number, requeued)


def promote(units: UnitsOfWork, model_id: int) -> int:
    """Make a model version active; returns the number of requeued listings. Raises NotFound."""
    with units() as unit:
        taxonomy_id = unit.models.taxonomy_of(model_id)
        unit.models.lock_taxonomy(taxonomy_id)
        requeued = _promote(unit, taxonomy_id, model_id)
        unit.commit()
        return requeued


def roll_back(units: UnitsOfWork, taxonomy_id: int) -> int:
    """Make the previously active version active again; returns its id. Raises Conflict when there is none."""
    with units() as unit:
        unit.models.lock_taxonomy(taxonomy_id)
        previous_id = unit.models.last_retired(taxonomy_id)
        if previous_id is None:
            raise Conflict("there is no earlier model version to go back to")
        _promote(unit, taxonomy_id, previous_id)
        unit.commit()
        return previous_id


def _promote(unit: UnitOfWork, taxonomy_id: int, model_id: int) -> int:
    """The caller has locked the taxonomy, which waits for transactions that decide by the previous version."""
    unit.models.activate(taxonomy_id, model_id)
    unit.models.show_known_decisions(taxonomy_id, model_id)
    requeued = unit.models.requeue_listings(taxonomy_id, model_id)
    released = unit.models.release_held_jobs(taxonomy_id)
    request_proposals_after_promotion(unit, taxonomy_id)
    unit.outbox.wake_relay()
    return requeued + released
