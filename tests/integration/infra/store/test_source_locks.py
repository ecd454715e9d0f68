"""Use cases that decide on a source's rules wait for one another: each holds the source until it commits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from pipeline.domain.rule import Meaning, RuleStatus
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.rules import accept_proposals, decide_rule, import_rules, request_proposals, set_rule
from tests.integration.workers.test_relay import until

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
Act = Callable[[UnitsOfWork, int], object]


@pytest.mark.parametrize(
    "act",
    [
        lambda units, source_id: accept_proposals(units, source_id, 0.5, "Ada"),
        lambda units, source_id: import_rules(units, source_id, [], "Ada", create_missing=True),
        lambda units, source_id: request_proposals(units, source_id, "Ada"),
        lambda units, source_id: set_rule(units, source_id, "en:x", Meaning(None), RuleStatus.REFUSED, "Ada"),
    ],
    ids=["accept proposals", "import rules", "request proposals", "set a rule"],
)
def test_a_use_case_waits_for_the_source(engine: Engine, units: UnitsOfWork, source: Source, act: Act) -> None:
    assert_waits(engine, units, source, lambda: act(units, source.id))


def test_the_decision_on_a_rule_waits_for_its_source(engine: Engine, units: UnitsOfWork, source: Source) -> None:
    rule_id = set_rule(units, source.id, "en:x", Meaning(None), RuleStatus.REFUSED, "Ada")
    assert_waits(engine, units, source, lambda: decide_rule(units, rule_id, RuleStatus.PROPOSED, "Bo"))


def assert_waits(engine: Engine, units: UnitsOfWork, source: Source, act: Callable[[], object]) -> None:
    """Assert that ``act`` does not end while another transaction holds the source, and ends after it."""

    def waits() -> bool:
        with engine.connect() as connection:
            return bool(connection.scalar(WAITING)) or done.done()

    with ThreadPoolExecutor(1) as pool:
        with units() as holder:
            holder.sources.lock(source.id)
            done = pool.submit(act)
            until(waits)
            assert not done.done()
            holder.commit()
        done.result(timeout=20)
