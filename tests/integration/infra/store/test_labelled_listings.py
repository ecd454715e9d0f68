"""Whose word a label is: a person's, the seller's, or that of a rule for the most particular category at the source."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from infra.store.listings.labelled_listings import labelled_listings
from infra.store.studies.repository import SqlStudies
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.rule import RuleStatus
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.intake import accept
from pipeline.steps.review_listing import review
from pipeline.steps.rules import decide_rule
from tests.integration.infra.store.collected import collect
from tests.integration.records import decide

DRINKS = ("en:beverages", "en:wines", "en:champagnes")


def labels(engine: Engine, source: Source) -> dict[str, str]:
    with engine.connect() as connection:
        found = {each.external_id: each.category for each in labelled_listings(connection, source.taxonomy_id)}
        studied = {each.key: each.category for each in SqlStudies(connection).candidates(source.taxonomy_id)}
    assert studied == found
    return found


def test_the_most_particular_category_with_an_accepted_rule_gives_the_label(engine: Engine, source: Source) -> None:
    with engine.begin() as connection:
        collect(connection, source, {"brut": DRINKS, "red": DRINKS[:2], "water": DRINKS[:1]})
    assert labels(engine, source) == {}
    decide(engine, source, "en:wines", "Drinks >> Wine")
    assert labels(engine, source) == {"brut": "Drinks >> Wine", "red": "Drinks >> Wine"}
    decide(engine, source, "en:champagnes", "Drinks >> Wine >> Champagne")
    decide(engine, source, "en:beverages", "Drinks")
    assert labels(engine, source) == {
        "brut": "Drinks >> Wine >> Champagne",
        "red": "Drinks >> Wine",
        "water": "Drinks",
    }


def test_a_rule_that_means_nothing_leaves_it_to_the_more_general_ones(engine: Engine, source: Source) -> None:
    with engine.begin() as connection:
        collect(connection, source, {"brut": DRINKS})
    decide(engine, source, "en:champagnes", None)
    assert labels(engine, source) == {}
    decide(engine, source, "en:wines", "Drinks >> Wine")
    assert labels(engine, source) == {"brut": "Drinks >> Wine"}


def test_a_review_and_a_seller_outrank_every_rule(engine: Engine, source: Source, units: UnitsOfWork) -> None:
    accept(units, source.id, [Submission("sold", Content("x", seller_category="Gifts"))], Priority.IMPORT)
    with engine.begin() as connection:
        ids = collect(connection, source, {"brut": DRINKS, "sold": DRINKS})
    decide(engine, source, "en:champagnes", "Drinks >> Wine")
    assert labels(engine, source) == {"brut": "Drinks >> Wine", "sold": "Gifts"}
    review(units, ids["brut"], "Hampers", "Ada", "")
    assert labels(engine, source) == {"brut": "Hampers", "sold": "Gifts"}


def test_a_rule_for_a_sellers_category_replaces_it_and_the_beginning_of_deeper_ones(
    engine: Engine, source: Source, units: UnitsOfWork
) -> None:
    categories = {"a": "Shrits", "b": "Shrits >> Linen", "c": "Shritsy", "d": "Shirts", "e": "Shrits >> Wool"}
    submissions = [Submission(key, Content("x", seller_category=path)) for key, path in categories.items()]
    accept(units, source.id, submissions, Priority.IMPORT)
    rule_id = decide(engine, source, "Shrits", "Shirts")
    decide(engine, source, "Shrits >> Wool", "Knitwear")
    decide(engine, source, "Shritsy", None)
    assert labels(engine, source) == {
        "a": "Shirts",
        "b": "Shirts >> Linen",
        "c": "Shritsy",
        "d": "Shirts",
        "e": "Knitwear",
    }
    decide_rule(units, rule_id, RuleStatus.REFUSED, "Ada")
    assert labels(engine, source) == categories | {"e": "Knitwear"}


@pytest.mark.parametrize("status", [RuleStatus.PROPOSED, RuleStatus.REFUSED])
def test_only_accepted_rules_label(engine: Engine, source: Source, units: UnitsOfWork, status: RuleStatus) -> None:
    with engine.begin() as connection:
        collect(connection, source, {"brut": DRINKS})
    rule_id = decide(engine, source, "en:wines", "Drinks")
    decide_rule(units, rule_id, status, "Ada")
    assert labels(engine, source) == {}
