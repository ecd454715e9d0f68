"""A change to one job or rule leaves the others alone, and the record says what was decided of each."""

from __future__ import annotations

from pipeline.domain.job import JobKind
from pipeline.domain.rule import Meaning, RuleStatus
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.rules import decide_rule
from tests.contracts.contract_store import ContractStore
from tests.contracts.queues import claim_long_job
from tests.contracts.records import Records, RuleSeen
from tests.contracts.test_rules import decide


def test_postponing_a_job_leaves_the_attempts_of_others_open(store: ContractStore, units: UnitsOfWork) -> None:
    first = claim_long_job(store, JobKind.TRAIN)
    claim_long_job(store, JobKind.PURGE)
    with units() as unit:
        assert unit.claims.postpone(first.claim, "the source is busy", 60.0)
        unit.commit()
    assert store.attempts() == [(1, "requeued", None), (1, None, None)]


def test_a_proposal_that_is_corrected_is_refused(units: UnitsOfWork, records: Records, source: Source) -> None:
    with units() as unit:
        unit.sources.add_categories(source.id, ["Drinks", "Food"])
        unit.commit()
    rule = decide(units, source, "en:wines", "Food")
    decide_rule(units, rule, RuleStatus.PROPOSED, "Ada")
    decide_rule(units, rule, RuleStatus.ACCEPTED, "Ada", Meaning("Drinks"))
    assert records.rules(source.id) == [
        RuleSeen("en:wines", "Drinks", "accepted", "Ada", 0),
        RuleSeen("en:wines", "Food", "refused", "Ada", 0),
    ]
