"""What an import of categories promises: each once, labels follow renamed categories, suggestions follow names."""

from __future__ import annotations

import pytest

from pipeline.domain.claimed_job import AttemptResult
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.job import JobState, Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.rule import Meaning, RuleStatus
from pipeline.domain.source import Source
from pipeline.domain.taxonomy import CategoryEntry, ListedTaxonomy
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.intake import accept
from pipeline.steps.review_listing import review
from pipeline.steps.rules import set_rule
from pipeline.steps.source_registration import find_or_add_source
from pipeline.steps.taxonomies import ImportedTaxonomy, import_taxonomy
from tests.contracts.contract_store import ContractStore
from tests.contracts.queues import claim_all, finish, post
from tests.contracts.records import Records, RuleSeen

HOME = CategoryEntry("Home", external_id="1")
PANS = CategoryEntry("Home >> Pans", "for frying", ("skillets", "woks"), "2", {"fr": "Poêles"})
SUGGESTED = Decision(DecisionStatus.NEEDS_REVIEW, "Home >> Pans", 0.4, Reason(ReasonCode.NO_LABELLED_EXAMPLE))
RANKED = Prediction(Modality.TEXT, (Ranked("Home >> Pans", 0.4), Ranked("Home", 0.1)))


def bring(units: UnitsOfWork, *entries: CategoryEntry, name: str = "shop", dry_run: bool = False) -> ImportedTaxonomy:
    return import_taxonomy(units, name, ListedTaxonomy(entries), "Ada", dry_run=dry_run)


def stored(units: UnitsOfWork, name: str = "shop") -> list[CategoryEntry]:
    with units() as unit:
        taxonomy = unit.taxonomies.find(name)
        return [] if taxonomy is None else unit.taxonomies.entries(taxonomy.id)


def test_categories_are_added_once_with_their_texts(units: UnitsOfWork) -> None:
    first = bring(units, HOME, PANS, name=" shop ")
    assert (first.name, len(first.changes.added)) == ("shop", 2)
    assert stored(units) == [HOME, PANS]
    again = bring(units, HOME, PANS)
    assert again.changes.is_empty
    assert again.changes.unchanged == 2
    described = CategoryEntry("Home", "for living")
    assert [entry.path for entry in bring(units, described).changes.updated] == ["Home"]
    assert stored(units) == [CategoryEntry("Home", "for living", external_id="1"), PANS]
    with pytest.raises(InvalidInput):
        bring(units, HOME, name=" ")


def test_a_dry_run_changes_nothing(units: UnitsOfWork) -> None:
    assert len(bring(units, HOME, PANS, dry_run=True).changes.added) == 2
    with units() as unit:
        assert unit.taxonomies.find("shop") is None


def test_a_source_added_later_belongs_to_the_taxonomy_of_its_name(units: UnitsOfWork) -> None:
    bring(units, HOME, PANS)
    shop = find_or_add_source(units, "shop")
    with units() as unit:
        assert unit.sources.category_paths(shop.id) == ["Home", "Home >> Pans"]
        unit.taxonomies.lock(shop.taxonomy_id)
        with pytest.raises(NotFound):
            unit.taxonomies.lock(shop.taxonomy_id + 1_000_000)


def test_labels_follow_a_renamed_category(
    store: ContractStore, units: UnitsOfWork, records: Records, source: Source
) -> None:
    bring(units, HOME, PANS)
    post(units, source, "reviewed")
    accept(units, source.id, [Submission("sold", Content("A wok", seller_category="Home >> Pans"))], Priority.PIPELINE)
    decided = AttemptResult(claim_all(units)[0], SUGGESTED)
    finish(units, decided)
    review(units, decided.job.listing_id, "Home >> Pans", "Ada", "")
    set_rule(units, source.id, "Frying", Meaning("Home >> Pans"), RuleStatus.ACCEPTED, "Ada")
    renamed = bring(units, HOME, CategoryEntry("Kitchen >> Frying pans", external_id="2"))
    assert renamed.changes.renamed == {"Home >> Pans": "Kitchen >> Frying pans"}
    assert [entry.path for entry in stored(units)] == ["Home", "Kitchen >> Frying pans"]
    assert stored(units)[1].synonyms == ("skillets", "woks")
    assert store.listing("reviewed")[1] == "Kitchen >> Frying pans"
    assert records.rules(source.id) == [
        RuleSeen("Frying", "Kitchen >> Frying pans", "accepted", "Ada", 0),
        RuleSeen("Home >> Pans", "Kitchen >> Frying pans", "accepted", "Ada", 0),
    ]


def test_two_categories_change_places(units: UnitsOfWork) -> None:
    bring(units, CategoryEntry("A", external_id="1"), CategoryEntry("B", external_id="2"))
    bring(units, CategoryEntry("B", external_id="1"), CategoryEntry("A", external_id="2"))
    assert [(entry.path, entry.external_id) for entry in stored(units)] == [("A", "2"), ("B", "1")]


def test_without_a_model_new_names_give_new_suggestions(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    (revision,) = post(units, source, "one")
    abstained = Decision(DecisionStatus.ABSTAINED, None, None, Reason(ReasonCode.NO_MODEL))
    finish(units, *(AttemptResult(job, abstained) for job in claim_all(units)))
    store.relay_was_woken()
    assert bring(units, HOME, PANS).requeued == 1
    assert store.relay_was_woken()
    assert [job.state for job in store.jobs()] == [JobState.DONE, JobState.WAITING]
    for _ in range(2):
        (job,) = claim_all(units)
        finish(units, AttemptResult(job, SUGGESTED, (RANKED,)))
        assert store.listing("one") == ("needs_review", "Home >> Pans")
        assert store.predicted() == [(revision, None, "text")]
        assert [(seen.model_id, seen.category) for seen in store.decisions()] == [(None, "Home >> Pans")]
        bring(units, CategoryEntry(f"Home >> Mugs {store.jobs()[-1].state} {len(store.jobs())}"))
    assert bring(units, HOME, PANS).requeued == 0
    accept(units, source.id, [Submission("sold", Content("A wok", seller_category="Home"))], Priority.PIPELINE)
    finish(units, *(AttemptResult(job, abstained) for job in claim_all(units)))
    assert bring(units, CategoryEntry("Toys")).requeued == 1, "a listing with a label waits for the model"


def test_a_model_is_not_asked_again_for_new_names(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    store.activate_model(source.taxonomy_id)
    post(units, source, "one")
    finish(units, *(AttemptResult(job, SUGGESTED) for job in claim_all(units)))
    assert bring(units, HOME).requeued == 0
    assert [job.state for job in store.jobs()] == [JobState.DONE]
