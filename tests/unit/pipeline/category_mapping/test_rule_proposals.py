"""Proposals on planted catalogues: planted mappings are found, others are not, and a few decisions are not trusted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from pipeline.category_mapping.dempster_shafer import branches_of
from pipeline.category_mapping.rule_proposals import count_source_categories, propose_rules
from pipeline.domain.listing import Evidence, LabelledListing
from pipeline.domain.rule_proposal import CollectedListing, ProposalInputs, RuleProposal

SHELVES = ("Drinks >> Wine", "Drinks >> Juice", "Food >> Cheese", "Food >> Bread", "Home >> Lamps", "Home >> Rugs")
# Letters of a code, so that no word of one shelf looks like one of another.
WORDS = {
    shelf: [f"{chr(97 + at)}{chr(97 + 3 * n)}{chr(122 - n)}{chr(98 + at)}ol" for n in range(8)]
    for at, shelf in enumerate(SHELVES)
}


def text_of(shelf: str, draw: random.Random) -> Evidence:
    shared = ["lovely", "product", "quality", "pack", "new", "fresh"]
    return Evidence(" ".join(draw.sample(WORDS[shelf], 3) + draw.sample(shared, 2)))


CATEGORIES = sorted({branch for shelf in SHELVES for branch in branches_of(shelf)})


def labelled(each: int = 12) -> list[LabelledListing]:
    draw = random.Random(0)
    return [
        LabelledListing(n, str(n), text_of(shelf, draw).name, "", {}, shelf, None)
        for n, shelf in enumerate(SHELVES * each)
    ]


def evidence(listings: Sequence[CollectedListing], known: Sequence[LabelledListing] | None = None) -> ProposalInputs:
    """All listings of a source, beside the planted taxonomy."""
    return ProposalInputs(
        listings, count_source_categories(listings), CATEGORIES, labelled() if known is None else known
    )


def collected(
    names: Callable[[str], tuple[str, ...]],
    each: int = 10,
    decided: Callable[[str, random.Random], tuple[str | None, bool]] = lambda _shelf, _draw: (None, False),
    shelves: tuple[str, ...] = SHELVES,
) -> list[CollectedListing]:
    draw = random.Random(1)
    return [
        CollectedListing(text_of(shelf, draw), names(shelf), *decided(shelf, draw))
        for shelf in shelves
        for _ in range(each)
    ]


def by_name(rules: list[RuleProposal]) -> dict[str, RuleProposal]:
    assert len({rule.source_category for rule in rules}) == len(rules)
    return {rule.source_category: rule for rule in rules}


def code(shelf: str) -> str:
    return f"xx:{SHELVES.index(shelf) + 7}"


def test_a_planted_mapping_is_found_by_the_texts_alone() -> None:
    found = by_name(propose_rules(evidence(collected(lambda shelf: (code(shelf),)))))
    assert {name: rule.category for name, rule in found.items()} == {code(shelf): shelf for shelf in SHELVES}
    assert min(rule.score for rule in found.values()) > 0.5


def test_a_planted_mapping_is_found_by_the_names_alone() -> None:
    listings = [CollectedListing(Evidence(""), ("en:food", f"en:{shelf.split()[-1].lower()}")) for shelf in SHELVES]
    found = by_name(propose_rules(evidence(listings, [])))
    assert {found[f"en:{shelf.split()[-1].lower()}"].category for shelf in SHELVES} == set(SHELVES)
    assert found["en:food"].category == "Food"


def test_two_grounds_are_believed_more_than_one() -> None:
    def right(shelf: str, _draw: random.Random) -> tuple[str, bool]:
        return shelf, True

    plain = by_name(propose_rules(evidence(collected(lambda shelf: (code(shelf),)))))
    decided = by_name(propose_rules(evidence(collected(lambda shelf: (code(shelf),), decided=right))))
    assert all(decided[name].score > plain[name].score for name in plain)


def test_three_decisions_do_not_outweigh_three_hundred() -> None:
    def everything_is_cheese(_shelf: str, _draw: random.Random) -> tuple[str, bool]:
        return "Food >> Cheese", True

    strange = [
        [CollectedListing(Evidence(f"word{n}"), ("xx:1",), "Food >> Cheese", confident=True) for n in range(count)]
        for count in (3, 300)
    ]
    few, many = (propose_rules(evidence(listings))[0] for listings in strange)
    assert (few.category, many.category) == ("Food >> Cheese", "Food >> Cheese")
    assert few.score < 0.5 < 0.9 < many.score
    assert few.grounds.agreement_at_least is not None
    assert few.grounds.agreement_at_least < 0.5
    # With the texts against it, a model that says the same of everything is not believed on a few listings.
    found = by_name(
        propose_rules(evidence(collected(lambda shelf: (code(shelf),), each=3, decided=everything_is_cheese)))
    )
    assert found[code("Drinks >> Wine")].score < 0.5
    assert found[code("Drinks >> Wine")].grounds.contradiction > 0.1


def test_decisions_that_need_a_review_are_no_agreement() -> None:
    listings = [CollectedListing(Evidence(f"word{n}"), ("xx:1",), "Food >> Cheese", n < 5) for n in range(100)]
    (rule,) = propose_rules(evidence(listings))
    assert rule.agreement is None or rule.agreement <= 0.05
    assert rule.score < 0.5 or rule.category is None


def test_the_category_above_is_proposed_where_the_leaves_disagree() -> None:
    def either(shelf: str, _draw: random.Random) -> tuple[str, bool]:
        return shelf, True

    drinks = collected(lambda _shelf: ("en:any",), each=40, decided=either, shelves=SHELVES[:2])
    assert [rule.category for rule in propose_rules(evidence(drinks))] == ["Drinks"]


def test_what_resembles_nothing_is_proposed_to_mean_nothing_the_surer_the_more_there_is_of_it() -> None:
    draw = random.Random(2)
    listings = [
        CollectedListing(Evidence(" ".join(f"q{draw.randint(0, 30)}w" for _ in range(4))), (f"xx:{n % 40 and 1}",))
        for n in range(80)
    ]
    found = by_name(propose_rules(evidence(listings)))
    assert [found[name].category for name in ("xx:0", "xx:1")] == [None, None]
    assert found["xx:0"].score < 0.5 < found["xx:1"].score


def test_what_a_person_refused_is_passed_over_and_what_is_settled_needs_nothing() -> None:
    wine = code("Drinks >> Wine")
    listings = collected(lambda shelf: (code(shelf),))
    decided = replace(
        evidence(listings),
        refused=frozenset({(wine, "Drinks >> Wine")}),
        with_accepted_rule=frozenset({code("Home >> Rugs")}),
    )
    found = by_name(propose_rules(decided))
    assert found[wine].category == "Drinks"
    assert code("Home >> Rugs") not in found


@pytest.mark.parametrize("count", [0, 3])
def test_few_labelled_listings_are_enough_where_names_are_equal(count: int) -> None:
    listings = collected(lambda shelf: (f"en:{shelf.split()[-1].lower()}",))
    rules = propose_rules(evidence(listings, labelled()[:count]))
    assert {rule.category for rule in rules} == set(SHELVES)


def test_without_categories_or_listings_nothing_is_proposed() -> None:
    listings = collected(lambda _shelf: ("en:x",))
    assert propose_rules(ProposalInputs(listings, count_source_categories(listings), [], [])) == []
    assert propose_rules(evidence([])) == []


def test_the_same_listings_give_the_same_proposals() -> None:
    listings = collected(lambda shelf: (code(shelf), "en:all"))
    assert propose_rules(evidence(listings)) == propose_rules(evidence(list(listings)))
