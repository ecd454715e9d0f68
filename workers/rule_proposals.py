"""What a worker does to propose what a source's categories mean in the marketplace's taxonomy."""

from __future__ import annotations

from collections.abc import Callable

from infra.store.rules import repository
from infra.store.rules.proposal_evidence import read_material
from pipeline.category_mapping.proposals import MOST_TEXTS, Known, propose_rules
from pipeline.domain.claimed_job import ClaimedLongJob
from workers.bootstrap import WorkerContext

LIKELY = 0.8


def map_categories(context: WorkerContext, run: ClaimedLongJob, report: Callable[[float, str], None]) -> str:
    """Propose rules for the source of the run, in the place of earlier proposals; returns a sentence on them."""
    source_id = int(run.payload["source_id"])
    report(0.0, "reading what was collected")
    with context.engine.connect() as connection:
        material = read_material(connection, source_id, MOST_TEXTS)
    if not material.tallies:
        return "no listing of this source has categories there: nothing to propose"
    if not material.categories:
        return "the taxonomy of this source has no categories yet: nothing to propose"
    proposals = propose_rules(
        material.listings,
        Known(material.categories, material.labelled),
        context.registry.weights_path,
        material.refused,
        material.settled,
        lambda share, note: report(0.1 + 0.85 * share, note),
        material.tallies,
    )
    support = {name: tally.support for name, tally in material.tallies.items()}
    with context.engine.begin() as connection:
        made = repository.propose(connection, source_id, proposals, support)
    likely = sum(rule.score >= LIKELY for rule in proposals)
    return f"proposed {made} rules, {likely} of them with a belief of {LIKELY} or more"
