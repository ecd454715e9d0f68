"""Coverage and conflicts on the page of rules: counted again when a rule changes, else seldom."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine

from api import rule_coverage_cache
from api.rule_coverage_cache import COST_FACTOR, MAX_SOURCES, MIN_SECONDS, CoverageCache
from infra.store.rules.coverage_and_conflicts import CoverageReport, read_coverage_report
from infra.store.rules.queries import list_rules
from infra.store.unit_of_work import units_of_work
from pipeline.domain.rule import RuleStatus
from pipeline.domain.source import Source
from pipeline.steps.rules import decide_rule
from tests.integration.api.test_rules import shop
from tests.integration.infra.store.collected import collect
from tests.integration.records import decide

__all__ = ["shop"]


class CountedCoverage:
    """A coverage cache with a clock set by hand, and the number of its counts, each of which ``takes`` some seconds."""

    def __init__(self) -> None:
        self.now, self.takes, self.counts = 100.0, 0.0, 0
        self.coverage = CoverageCache(lambda: self.now)

    def count(self, connection: Connection, source_id: int) -> CoverageReport:
        self.counts += 1
        self.now += self.takes
        return read_coverage_report(connection, source_id)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> CountedCoverage:
    made = CountedCoverage()
    monkeypatch.setattr(rule_coverage_cache, "read_coverage_report", made.count)
    return made


def test_a_page_that_refreshes_counts_seldom(engine: Engine, shop: Source, counted: CountedCoverage) -> None:
    with engine.begin() as connection:
        first = counted.coverage.report_of(connection, shop.id)
        assert (first.coverage.listings, first.coverage.mapped, first.conflicts.in_conflict) == (7, 0, 0)
        collect(connection, shop, {"late": ("en:wines",)})
        counted.now += MIN_SECONDS - 1
        assert counted.coverage.report_of(connection, shop.id) is first
        counted.now += 1
        assert counted.coverage.report_of(connection, shop.id).coverage.listings == 8
        assert counted.counts == 2


def test_every_change_of_a_rule_is_seen_at_once(engine: Engine, shop: Source, counted: CountedCoverage) -> None:
    with engine.begin() as connection:
        wines = next(rule for rule in list_rules(connection, shop.id) if rule.source_category == "en:wines").id
        found = [counted.coverage.report_of(connection, shop.id).coverage.mapped]
        for status in (RuleStatus.ACCEPTED, RuleStatus.REFUSED, RuleStatus.PROPOSED):
            decide_rule(units_of_work(engine), wines, status, "Ada")
            found.append(counted.coverage.report_of(connection, shop.id).coverage.mapped)
        decide(engine, shop, "en:bags", "Drinks >> Wine")
        found.append(counted.coverage.report_of(connection, shop.id).coverage.mapped)
    assert found == [0, 3, 0, 0, 1]
    assert counted.counts == 5


def test_what_takes_long_is_kept_long(engine: Engine, shop: Source, counted: CountedCoverage) -> None:
    counted.takes = 4.0
    with engine.begin() as connection:
        counted.coverage.report_of(connection, shop.id)
        counted.now += COST_FACTOR * counted.takes - 1
        counted.coverage.report_of(connection, shop.id)
        assert counted.counts == 1
        counted.now += 1
        counted.coverage.report_of(connection, shop.id)
        assert counted.counts == 2


def test_while_one_counts_the_others_are_shown_the_last_count(
    engine: Engine, shop: Source, counted: CountedCoverage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.begin() as connection:
        last = counted.coverage.report_of(connection, shop.id)
        counted.now += MIN_SECONDS

        def beside(connection: Connection, source_id: int) -> CoverageReport:
            assert counted.coverage.report_of(connection, source_id) is last
            return counted.count(connection, source_id)

        monkeypatch.setattr(rule_coverage_cache, "read_coverage_report", beside)
        assert counted.coverage.report_of(connection, shop.id) is not last
        assert counted.counts == 2


def test_only_the_latest_sources_are_kept(engine: Engine, counted: CountedCoverage) -> None:
    with engine.connect() as connection:
        for source_id in range(1000, 1000 + MAX_SOURCES + 1):
            assert counted.coverage.report_of(connection, source_id).coverage.listings == 0
        counted.coverage.report_of(connection, 1000 + MAX_SOURCES)
        assert counted.counts == MAX_SOURCES + 1
        counted.coverage.report_of(connection, 1000)
        assert counted.counts == MAX_SOURCES + 2
