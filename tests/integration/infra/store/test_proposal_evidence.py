"""The evidence for proposals of rules: few listings are read whole, of many evenly spaced ones, and all are counted."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from infra.store.rules import proposal_evidence
from infra.store.rules.proposal_evidence import read_proposal_inputs
from pipeline.category_mapping.rule_proposals import count_source_categories
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.rule import RuleStatus
from pipeline.domain.rule_proposal import Grounds, RuleProposal
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.intake import accept, withdraw
from pipeline.steps.review_listing import review
from tests.integration.infra.store.collected import collect
from tests.integration.records import add_categories, decide, propose

PRODUCTS = {f"p{n}": ("en:food", f"en:shelf-{n % 3}", f"en:shelf-{n % 3}", "") for n in range(20)} | {"bare": ()}


def test_counts_of_postgres_are_those_of_the_listings(engine: Engine, source: Source, units: UnitsOfWork) -> None:
    add_categories(engine, source, ("Food >> Bread",))
    with engine.begin() as connection:
        ids = collect(connection, source, PRODUCTS, decided={f"p{n}": "Food >> Bread" for n in range(9)})
        connection.execute(text("UPDATE listings SET status = 'needs_review' WHERE external_id IN ('p0', 'p1')"))
    review(units, ids["p2"], "Food", "Ada", "")
    withdraw(units, ids["p19"])
    with engine.connect() as connection:
        found = read_proposal_inputs(connection, source.id, 1000)
    assert len(found.listings) == 19
    assert found.listings[0].categories == ("en:food", "en:shelf-0", "en:shelf-0")
    assert [listing.confident for listing in found.listings[:3]] == [False, False, True]
    assert found.listings[2].decided_category == "Food"
    expected = {
        name: (one.support, {**one.decided}, {path: count for path, count in one.confident.items() if count})
        for name, one in count_source_categories(found.listings).items()
    }
    counts_by_category = found.counts_by_category.items()
    assert {name: (one.support, {**one.decided}, {**one.confident}) for name, one in counts_by_category} == expected
    assert found.categories == ["Food", "Food >> Bread"]


def test_of_much_evenly_spaced_listings_and_the_most_frequent_categories_are_read(
    engine: Engine, source: Source, units: UnitsOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = [Submission(f"s{n}", Content(f"sold {n}", seller_category="Food")) for n in range(50)]
    accept(units, source.id, sold, Priority.IMPORT)
    with engine.begin() as connection:
        collect(connection, source, {f"p{n}": ("en:food", f"en:odd-{n}") for n in range(50)})
    decide(engine, source, "en:odd-7", "Food")
    decide(engine, source, "en:odd-8", "Food", RuleStatus.REFUSED)
    with engine.connect() as connection:
        evidence = read_proposal_inputs(connection, source.id, 10)
    assert [int(listing.evidence.name[1:]) // 5 for listing in evidence.listings] == list(range(10))
    assert len(evidence.labelled) == 10
    assert {each.category for each in evidence.labelled} == {"Food"}
    assert evidence.counts_by_category["en:food"].support == 50
    assert set(evidence.with_accepted_rule) == {"en:odd-7"}
    assert set(evidence.refused) == {("en:odd-8", "Food")}
    monkeypatch.setattr(proposal_evidence, "MAX_CATEGORIES", 1)
    with engine.connect() as connection:
        few = read_proposal_inputs(connection, source.id, 10)
    assert len(few.counts_by_category) == 2, "the one, and room for the settled one"
    assert "en:food" in few.counts_by_category


def test_new_proposals_replace_the_old_ones_and_rules_get_their_support(engine: Engine, source: Source) -> None:
    def proposed(name: str, category: str | None) -> RuleProposal:
        return RuleProposal(name, category, 0.9, 0.5, None, 4, Grounds(names=0.9))

    add_categories(engine, source, ("A", "B"))
    decide(engine, source, "en:settled", "A")
    decide(engine, source, "en:refused", "A", RuleStatus.REFUSED)
    assert propose(engine, source, [proposed("en:old", "A"), proposed("en:lost", "no such")]) == 1
    again = [proposed("en:new", None), *(proposed(name, "A") for name in ("en:settled", "en:refused", "en:x"))]
    assert propose(engine, source, again, {"en:settled": 7, "en:gone": 3}) == 2
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT source_category, status::text, support, decided_by FROM category_rules ORDER BY 1")
        )
        assert [tuple(row) for row in rows] == [
            ("en:new", "proposed", 4, None),
            ("en:refused", "refused", 0, "Ada"),
            ("en:settled", "accepted", 7, "Ada"),
            ("en:x", "proposed", 4, None),
        ]
