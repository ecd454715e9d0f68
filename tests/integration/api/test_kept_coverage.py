"""Coverage and conflicts on the page of rules: counted again when a rule changes, else seldom."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from api.rules import coverage_cache
from api.rules.coverage_cache import KEPT, SHORTEST, SPARED, CoverageCache
from infra.store.rules import repository
from infra.store.rules.coverage import read_coverage
from infra.store.rules.queries import list_rules
from pipeline.domain.rule import RuleStatus
from pipeline.domain.source import Source
from tests.integration.api.test_rules import shop
from tests.integration.infra.store.collected import collect

__all__ = ["shop"]


class Bench:
    """A clock that is set by hand, and how often was counted; each count ``takes`` so many seconds."""

    def __init__(self) -> None:
        self.now, self.takes, self.counts = 100.0, 0.0, 0
        self.coverage = CoverageCache(lambda: self.now)

    def count(self, connection: Connection, source_id: int) -> dict[str, Any]:
        self.counts += 1
        self.now += self.takes
        return read_coverage(connection, source_id)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(coverage_cache, "read_coverage", made.count)
    return made


def test_a_page_that_refreshes_counts_seldom(engine: Engine, shop: Source, bench: Bench) -> None:
    with engine.begin() as connection:
        first = bench.coverage.of(connection, shop.id)
        assert (first["listings"], first["mapped"], first["in_conflict"]) == (7, 0, 0)
        collect(connection, shop, {"late": ("en:wines",)})
        bench.now += SHORTEST - 1
        assert bench.coverage.of(connection, shop.id) is first
        bench.now += 1
        assert bench.coverage.of(connection, shop.id)["listings"] == 8
        assert bench.counts == 2


def test_every_change_of_a_rule_is_seen_at_once(engine: Engine, shop: Source, bench: Bench) -> None:
    with engine.begin() as connection:
        wines = next(r for r in list_rules(connection, shop.id) if r["source_category"] == "en:wines")["id"]
        found = [bench.coverage.of(connection, shop.id)["mapped"]]
        for status in (RuleStatus.ACCEPTED, RuleStatus.REFUSED, RuleStatus.PROPOSED):
            repository.decide(connection, wines, "Ada", status)
            found.append(bench.coverage.of(connection, shop.id)["mapped"])
        repository.set_rule(connection, shop.id, "en:bags", "Drinks >> Wine", "Ada")
        found.append(bench.coverage.of(connection, shop.id)["mapped"])
    assert found == [0, 3, 0, 0, 1]
    assert bench.counts == 5


def test_what_takes_long_is_kept_long(engine: Engine, shop: Source, bench: Bench) -> None:
    bench.takes = 4.0
    with engine.begin() as connection:
        bench.coverage.of(connection, shop.id)
        bench.now += SPARED * bench.takes - 1
        bench.coverage.of(connection, shop.id)
        assert bench.counts == 1
        bench.now += 1
        bench.coverage.of(connection, shop.id)
        assert bench.counts == 2


def test_while_one_counts_the_others_are_shown_the_last_count(
    engine: Engine, shop: Source, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.begin() as connection:
        last = bench.coverage.of(connection, shop.id)
        bench.now += SHORTEST

        def beside(connection: Connection, source_id: int) -> dict[str, Any]:
            assert bench.coverage.of(connection, source_id) is last
            return bench.count(connection, source_id)

        monkeypatch.setattr(coverage_cache, "read_coverage", beside)
        assert bench.coverage.of(connection, shop.id) is not last
        assert bench.counts == 2


def test_only_the_latest_sources_are_kept(engine: Engine, bench: Bench) -> None:
    with engine.connect() as connection:
        for source_id in range(1000, 1000 + KEPT + 1):
            assert bench.coverage.of(connection, source_id)["listings"] == 0
        bench.coverage.of(connection, 1000 + KEPT)
        assert bench.counts == KEPT + 1
        bench.coverage.of(connection, 1000)
        assert bench.counts == KEPT + 2
