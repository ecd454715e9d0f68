"""What rules promise: one meaning for a category, people's decisions before proposals, a worker asked once."""

from __future__ import annotations

import pytest

from pipeline.domain.collection import ProductRequest
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.import_run import RowVerdict
from pipeline.domain.job import JobKind, JobState, Priority, Queue
from pipeline.domain.listing import Content, Submission
from pipeline.domain.product_source import ProductQuery, Provenance, QueryKind
from pipeline.domain.rule import InvalidRuleLines, Meaning, RuleLine, RuleStatus
from pipeline.domain.rule_proposal import Grounds, RuleProposal
from pipeline.domain.source import Source
from pipeline.domain.verdict import Verdict
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.collections import import_products
from pipeline.steps.intake import accept
from pipeline.steps.models import promote, save_version
from pipeline.steps.rules import (
    accept_proposals,
    decide_rule,
    import_rules,
    request_proposals,
    request_proposals_after_import,
    save_proposals,
    set_rule,
)
from tests.contracts.contract_store import ContractStore
from tests.contracts.queues import LEASE, announce, take
from tests.contracts.records import LongJobSeen, Records, RuleSeen

QUERY = ProductQuery(QueryKind.CATEGORY, "wines")
ACCEPTED, REFUSED, PROPOSED = RuleStatus.ACCEPTED, RuleStatus.REFUSED, RuleStatus.PROPOSED


@pytest.fixture
def shop(units: UnitsOfWork, source: Source) -> Source:
    """A source whose taxonomy has three categories."""
    with units() as unit:
        unit.sources.add_categories(source.id, ["Drinks >> Wine", "Food"])
        unit.commit()
    return source


def decide(units: UnitsOfWork, shop: Source, name: str, category: str | None, status: RuleStatus = ACCEPTED) -> int:
    return set_rule(units, shop.id, name, Meaning(category), status, "Ada")


def proposal(name: str, category: str | None, score: float, support: int = 5) -> RuleProposal:
    return RuleProposal(name, category, score, score, None, support, Grounds())


def propose(units: UnitsOfWork, shop: Source, *proposals: RuleProposal) -> int:
    return save_proposals(units, shop.id, proposals, {})


def statuses(records: Records, shop: Source) -> list[tuple[str, str | None, str]]:
    return [rule[:3] for rule in records.rules(shop.id)]


def test_a_category_is_set_to_one_meaning(units: UnitsOfWork, records: Records, shop: Source) -> None:
    first = decide(units, shop, " en:wines ", "Drinks >> Wine")
    assert decide(units, shop, "en:wines", "Drinks >> Wine") == first, "the same rule"
    assert records.rules(shop.id) == [RuleSeen("en:wines", "Drinks >> Wine", "accepted", "Ada", 0)]
    assert decide(units, shop, "en:wines", "Food") != first
    assert statuses(records, shop) == [
        ("en:wines", "Drinks >> Wine", "refused"),
        ("en:wines", "Food", "accepted"),
    ]
    decide(units, shop, "en:wines", None)
    assert statuses(records, shop)[0] == ("en:wines", None, "accepted")
    assert [status for *_, status in statuses(records, shop)].count("accepted") == 1


@pytest.mark.parametrize(
    ("name", "category", "status", "problem"),
    [
        ("en:wines", "Drinks >> Whine", ACCEPTED, "similar categories: Drinks >> Wine"),
        ("en:wines", "Food", PROPOSED, "only a worker proposes"),
        ("  ", "Food", ACCEPTED, "needs 1 to"),
        ("en:wines", " >> ", ACCEPTED, "categor"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(
    units: UnitsOfWork, records: Records, shop: Source, name: str, category: str, status: RuleStatus, problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        decide(units, shop, name, category, status)
    assert records.rules(shop.id) == []


def test_a_category_that_may_be_new_is_added_with_those_above_it(
    units: UnitsOfWork, records: Records, shop: Source
) -> None:
    set_rule(units, shop.id, "en:teas", Meaning("Drinks >> Hot >> Tea", create_missing=True), ACCEPTED, "Ada")
    with units() as unit:
        paths = unit.sources.category_paths(shop.id)
    assert paths == ["Drinks", "Drinks >> Hot", "Drinks >> Hot >> Tea", "Drinks >> Wine", "Food"]
    assert statuses(records, shop) == [("en:teas", "Drinks >> Hot >> Tea", "accepted")]


def test_accepting_deletes_the_other_proposals_of_the_category(
    units: UnitsOfWork, records: Records, shop: Source
) -> None:
    propose(units, shop, proposal("en:wines", "Food", 0.9), proposal("en:wines", None, 0.5), proposal("x", None, 0.5))
    decide(units, shop, "en:wines", "Food", REFUSED)
    assert len(records.rules(shop.id)) == 3, "a refusal decides on one meaning only"
    decide(units, shop, "en:wines", "Drinks >> Wine")
    assert statuses(records, shop) == [
        ("en:wines", "Drinks >> Wine", "accepted"),
        ("en:wines", "Food", "refused"),
        ("x", None, "proposed"),
    ]


def test_a_rule_is_decided_changed_and_opened_again(units: UnitsOfWork, records: Records, shop: Source) -> None:
    rule = decide(units, shop, "en:wines", "Food")
    changed = decide_rule(units, rule, ACCEPTED, "Bo", Meaning("Drinks >> Wine"))
    assert changed != rule
    assert records.rules(shop.id) == [
        RuleSeen("en:wines", "Drinks >> Wine", "accepted", "Bo", 0),
        RuleSeen("en:wines", "Food", "refused", "Bo", 0),
    ]
    assert decide_rule(units, changed, PROPOSED, "Bo") == changed
    assert records.rules(shop.id)[0] == RuleSeen("en:wines", "Drinks >> Wine", "proposed", None, 0)
    assert decide_rule(units, rule, ACCEPTED, "Cy") == rule
    assert statuses(records, shop) == [("en:wines", "Food", "accepted")]
    with pytest.raises(NotFound):
        decide_rule(units, changed, ACCEPTED, "Cy")
    with pytest.raises(InvalidInput, match="by accepting it"):
        decide_rule(units, rule, REFUSED, "Cy", Meaning("Food"))


def test_a_proposal_whose_meaning_is_changed_is_refused(units: UnitsOfWork, records: Records, shop: Source) -> None:
    proposed = decide_rule(units, decide(units, shop, "en:wines", "Food"), PROPOSED, "Ada")
    decide_rule(units, proposed, ACCEPTED, "Bo", Meaning("Drinks >> Wine"))
    assert records.rules(shop.id) == [
        RuleSeen("en:wines", "Drinks >> Wine", "accepted", "Bo", 0),
        RuleSeen("en:wines", "Food", "refused", "Bo", 0),
    ]


def test_proposals_give_way_to_what_people_decided(units: UnitsOfWork, records: Records, shop: Source) -> None:
    decide(units, shop, "en:wines", "Drinks >> Wine")
    decide(units, shop, "en:cheeses", "Drinks", REFUSED)
    propose(units, shop, proposal("en:old", "Food", 0.9))
    added = propose(
        units,
        shop,
        proposal("en:wines", "Food", 0.9),
        proposal("en:cheeses", "Drinks", 0.9),
        proposal("en:cheeses", "Food", 0.8),
        proposal("en:bags", None, 0.7),
        proposal("en:teas", "Tea", 0.9),
    )
    assert added == 2
    assert statuses(records, shop) == [
        ("en:bags", None, "proposed"),
        ("en:cheeses", "Drinks", "refused"),
        ("en:cheeses", "Food", "proposed"),
        ("en:wines", "Drinks >> Wine", "accepted"),
    ]


def test_the_number_of_listings_is_written_to_decided_rules_too(
    units: UnitsOfWork, records: Records, shop: Source
) -> None:
    decide(units, shop, "en:wines", "Food")
    save_proposals(units, shop.id, [proposal("en:bags", None, 0.7, support=3)], {"en:wines": 12, "en:bags": 3})
    assert [(rule.source_category, rule.support) for rule in records.rules(shop.id)] == [
        ("en:bags", 3),
        ("en:wines", 12),
    ]


def test_many_proposals_are_accepted_by_score_the_best_of_each_category(
    units: UnitsOfWork, records: Records, shop: Source
) -> None:
    decide(units, shop, "en:settled", "Food")
    propose(
        units,
        shop,
        proposal("en:wines", "Drinks >> Wine", 0.9),
        proposal("en:wines", "Food", 0.8),
        proposal("en:bags", None, 0.8),
        proposal("en:teas", "Drinks", 0.79),
        proposal("en:settled", "Drinks", 1.0),
    )
    assert accept_proposals(units, shop.id, 0.8, "Bo") == 2
    accepted = [rule for rule in records.rules(shop.id) if rule.status == "accepted"]
    assert [(rule.source_category, rule.category, rule.decided_by) for rule in accepted] == [
        ("en:bags", None, "Bo"),
        ("en:settled", "Food", "Ada"),
        ("en:wines", "Drinks >> Wine", "Bo"),
    ]
    with pytest.raises(InvalidInput):
        accept_proposals(units, shop.id, 1.1, "Bo")


def test_a_file_of_rules_is_applied_whole(units: UnitsOfWork, records: Records, shop: Source) -> None:
    decide(units, shop, "en:wines", "Food")
    lines = [
        RuleLine(2, "en:wines", "Drinks >> Wine", accepted=True),
        RuleLine(3, "en:wines", "Food", accepted=False),
        RuleLine(4, "en:bags", None, accepted=True),
        RuleLine(5, "en:teas", "Tea", accepted=True),
    ]
    with pytest.raises(InvalidRuleLines, match="line 5: ") as refused:
        import_rules(units, shop.id, lines, "Bo", create_missing=False)
    assert list(refused.value.problems) == [5]
    assert statuses(records, shop) == [("en:wines", "Food", "accepted")]
    import_rules(units, shop.id, lines, "Bo", create_missing=True)
    assert statuses(records, shop) == [
        ("en:bags", None, "accepted"),
        ("en:teas", "Tea", "accepted"),
        ("en:wines", "Drinks >> Wine", "accepted"),
        ("en:wines", "Food", "refused"),
    ]


def test_a_worker_is_asked_once_for_proposals(
    store: ContractStore, units: UnitsOfWork, records: Records, shop: Source
) -> None:
    job_id = request_proposals(units, shop.id, "Ada")
    assert store.relay_was_woken()
    assert request_proposals(units, shop.id, "Bo") == job_id
    payload: dict[str, object] = {"source_id": shop.id, "by": "Ada"}
    assert records.long_jobs() == [LongJobSeen(JobKind.MAP, Priority.PIPELINE, JobState.WAITING, payload)]
    records.end_long_jobs()
    assert request_proposals(units, shop.id, "Bo") != job_id
    with pytest.raises(NotFound):
        request_proposals(units, shop.id + 1_000_000, "Ada")


def import_with(units: UnitsOfWork, shop: Source, *categories: str) -> int:
    """A run of an import from a product database that finds a new listing with these categories."""
    (receipt,) = accept(units, shop.id, [Submission("p1", Content("Wine"))], Priority.IMPORT)
    import_id = import_products(units, ProductRequest("openfoodfacts", QUERY, shop.name)).id
    with units() as unit:
        unit.provenances.save({receipt.listing_id: Provenance("openfoodfacts", "https://x.example/1", categories)})
        unit.imports.add_page(import_id, [RowVerdict(1, "p1", Verdict.NEW, receipt.listing_id)], 0)
        unit.commit()
    return import_id


def after_import(units: UnitsOfWork, import_id: int) -> int | None:
    with units() as unit:
        job_id = request_proposals_after_import(unit, import_id)
        unit.commit()
    return job_id


def test_an_import_with_new_categories_asks_for_proposals_once(
    units: UnitsOfWork, records: Records, shop: Source
) -> None:
    decide(units, shop, "en:wines", "Drinks >> Wine")
    import_id = import_with(units, shop, "en:wines", "en:teas", "")
    job_id = after_import(units, import_id)
    assert job_id is not None
    assert [job.priority for job in records.long_jobs() if job.kind == JobKind.MAP] == [Priority.BACKFILL]
    assert after_import(units, import_id) is None, "it waits already"
    records.end_long_jobs()
    assert after_import(units, import_id) is None, "it was asked for by this import"


def test_an_import_without_new_categories_asks_for_nothing(units: UnitsOfWork, records: Records, shop: Source) -> None:
    decide(units, shop, "en:wines", "Drinks >> Wine", REFUSED)
    assert after_import(units, import_with(units, shop, "en:wines", "")) is None
    assert {job.kind for job in records.long_jobs()} == {JobKind.COLLECT}


def test_nothing_is_proposed_for_a_taxonomy_without_categories(units: UnitsOfWork, source: Source) -> None:
    assert after_import(units, import_with(units, source, "en:wines")) is None


@pytest.mark.parametrize("case", ["open proposals", "no rule yet", "everything decided", "nothing collected"])
def test_a_promotion_asks_for_proposals_where_there_is_something_to_decide(
    units: UnitsOfWork, records: Records, shop: Source, case: str
) -> None:
    if case == "open proposals":
        propose(units, shop, proposal("en:wines", "Food", 0.9))
    elif case != "nothing collected":
        import_with(units, shop, "en:wines")
    if case == "everything decided":
        decide(units, shop, "en:wines", "Food")
    model_id = save_version(units, shop.taxonomy_id, {}, promote=True).model_id
    promote(units, model_id)
    asked = [job.payload for job in records.long_jobs() if job.kind == JobKind.MAP]
    expected: dict[str, object] = {"source_id": shop.id, "by": None}
    assert asked == ([expected] if case in ("open proposals", "no rule yet") else [])


def test_a_running_search_for_proposals_is_followed_rather_than_repeated(
    store: ContractStore, units: UnitsOfWork, shop: Source
) -> None:
    job_id = request_proposals(units, shop.id, "Ada")
    announce(units, Queue.TRAINING)
    take(units, Queue.TRAINING)
    with units() as unit:
        assert unit.claims.claim_long_job(job_id, "trainer/1", LEASE) is not None
        unit.commit()
    assert store.job(job_id)[0] == "leased"
    assert request_proposals(units, shop.id, "Bo") == job_id
