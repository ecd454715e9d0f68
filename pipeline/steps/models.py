"""Promote: a candidate becomes the active model of its taxonomy, or the former one comes back."""

from __future__ import annotations

from pipeline.ports.unit_of_work import UnitsOfWork


def promote(units: UnitsOfWork, model_id: int) -> int:
    """Make a model version active; returns how many listings it will decide anew. NotFound when there is none."""
    with units() as unit:
        requeued = unit.models.promote(model_id)
        unit.commit()
        return requeued


def rollback(units: UnitsOfWork, taxonomy_id: int) -> int:
    """Bring back the version that was active before; returns its id. Conflict when there is none."""
    with units() as unit:
        model_id = unit.models.rollback(taxonomy_id)
        unit.commit()
        return model_id
