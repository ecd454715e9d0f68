"""What rules are proposed from: read whole where it is little, evenly where it is much, and counted in all of it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from infra.store.listings.repository import learn_categories
from infra.store.rules import proposal_evidence
from infra.store.rules.proposal_evidence import read_material
from infra.store.rules.repository import propose, set_rule
from pipeline.category_mapping.proposals import tally
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.rule import ProposedRule, RuleStatus
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.intake import accept, withdraw
from pipeline.steps.reviews import review
from tests.integration.infra.store.collected import collect

PRODUCTS = {f"p{n}": ("en:food", f"en:shelf-{n % 3}", f"en:shelf-{n % 3}", "") for n in range(20)} | {"bare": ()}


def test_counts_of_postgres_are_those_of_the_listings(engine: Engine, source: Source, units: UnitsOfWork) -> None:
    with engine.begin() as connection:
        learn_categories(connection, source.id, ("Food >> Bread",))
        ids = collect(connection, source, PRODUCTS, decided={f"p{n}": "Food >> Bread" for n in range(9)})
        connection.execute(text("UPDATE listings SET status = 'needs_review' WHERE external_id IN ('p0', 'p1')"))
    review(units, ids["p2"], "Food", "Ada", "")
    withdraw(units, ids["p19"])
    with engine.connect() as connection:
        found = read_material(connection, source.id, 1000)
    assert len(found.listings) == 19
    assert found.listings[0].categories == ("en:food", "en:shelf-0", "en:shelf-0")
    assert [listing.sure for listing in found.listings[:3]] == [False, False, True]
    assert found.listings[2].decided == "Food"
    expected = {
        name: (one.support, {**one.decided}, {path: count for path, count in one.sure.items() if count})
        for name, one in tally(found.listings).items()
    }
    assert {name: (one.support, {**one.decided}, {**one.sure}) for name, one in found.tallies.items()} == expected
    assert found.categories == ["Food", "Food >> Bread"]


def test_of_much_evenly_spaced_listings_and_the_most_frequent_categories_are_read(
    engine: Engine, source: Source, units: UnitsOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = [Submission(f"s{n}", Content(f"sold {n}", seller_category="Food")) for n in range(50)]
    accept(units, source.id, sold, Priority.IMPORT)
    with engine.begin() as connection:
        collect(connection, source, {f"p{n}": ("en:food", f"en:odd-{n}") for n in range(50)})
        set_rule(connection, source.id, "en:odd-7", "Food", "Ada")
        set_rule(connection, source.id, "en:odd-8", "Food", "Ada", status=RuleStatus.REFUSED)
        material = read_material(connection, source.id, 10)
    assert [int(listing.evidence.name[1:]) // 5 for listing in material.listings] == list(range(10))
    assert len(material.labelled) == 10
    assert {each.category for each in material.labelled} == {"Food"}
    assert material.tallies["en:food"].support == 50
    assert (material.settled, material.refused) == ({"en:odd-7"}, {("en:odd-8", "Food")})
    monkeypatch.setattr(proposal_evidence, "MOST_CATEGORIES", 1)
    with engine.connect() as connection:
        few = read_material(connection, source.id, 10)
    assert len(few.tallies) == 2, "the one, and room for the settled one"
    assert "en:food" in few.tallies


def test_new_proposals_replace_the_old_ones_and_rules_learn_their_support(engine: Engine, source: Source) -> None:
    def proposed(name: str, category: str | None) -> ProposedRule:
        return ProposedRule(name, category, 0.9, 0.5, None, 4, {"names": 0.9})

    with engine.begin() as connection:
        learn_categories(connection, source.id, ("A", "B"))
        set_rule(connection, source.id, "en:settled", "A", "Ada")
        set_rule(connection, source.id, "en:refused", "A", "Ada", status=RuleStatus.REFUSED)
        assert propose(connection, source.id, [proposed("en:old", "A"), proposed("en:lost", "no such")]) == 1
        again = [proposed("en:new", None), *(proposed(name, "A") for name in ("en:settled", "en:refused", "en:x"))]
        assert propose(connection, source.id, again, {"en:settled": 7, "en:gone": 3}) == 2
        rows = connection.execute(
            text("SELECT source_category, status::text, support, decided_by FROM category_rules ORDER BY 1")
        )
        assert [tuple(row) for row in rows] == [
            ("en:new", "proposed", 4, None),
            ("en:refused", "refused", 0, "Ada"),
            ("en:settled", "accepted", 7, "Ada"),
            ("en:x", "proposed", 4, None),
        ]
