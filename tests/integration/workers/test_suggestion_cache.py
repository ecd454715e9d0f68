"""Suggestions for taxonomies without a model: from names to the page of a listing, cached by revision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infra.catalogue_files.catalogue import open_catalogue
from pipeline.classification.category_names import CategoryNames, mean_vector
from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.errors import Unavailable
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Evidence, Submission
from pipeline.domain.reason import Reason
from pipeline.domain.taxonomy import CategoryEntry, ListedTaxonomy
from pipeline.features.extractor import TextExtractor
from pipeline.steps.categorise import CategoriseContext, categorise, claim
from pipeline.steps.intake import accept
from pipeline.steps.source_registration import find_or_add_source
from pipeline.steps.taxonomies import import_taxonomy
from tests.integration.records import add_categories
from tests.integration.workers.conftest import Bench
from tests.unit.pipeline.classification.word_encoder import WordEncoder
from workers.bootstrap import build_name_encoder
from workers.suggestion_cache import RECHECK_SECONDS, SuggestionCache

ENTRIES = (CategoryEntry("Kitchen"), CategoryEntry("Kitchen >> Mugs"), CategoryEntry("Kitchen >> Pans"))


def bring(bench: Bench, *entries: CategoryEntry) -> int:
    """The taxonomy 'cold' with these categories."""
    import_taxonomy(bench.context.units, "cold", ListedTaxonomy(entries), "Ada")
    return find_or_add_source(bench.context.units, "cold").taxonomy_id


def post(bench: Bench, name: str, category: str | None = None) -> None:
    source = find_or_add_source(bench.context.units, "cold")
    submission = Submission(name, Content(name, seller_category=category))
    accept(bench.context.units, source.id, [submission], Priority.PIPELINE)


def work(bench: Bench, suggestions: SuggestionCache) -> None:
    """Decide every waiting listing with these suggestions."""
    context = bench.child.categorise_context
    asked = CategoriseContext(
        context.units, context.photos, context.models, context.retry, context.worker, context.lease, suggestions
    )
    for batch in bench.take():
        categorise(asked, claim(asked, batch.job_ids))


def cache(bench: Bench, encoder: TextExtractor, seconds: list[float] | None = None) -> SuggestionCache:
    now = seconds or [0.0]
    return SuggestionCache(bench.context.engine, lambda: encoder, lambda: now[0])


def test_a_listing_is_ranked_by_names_and_again_when_they_change(bench: Bench) -> None:
    bring(bench, *ENTRIES)
    post(bench, "a blue mug")
    suggestions = cache(bench, WordEncoder())
    work(bench, suggestions)
    shown = "SELECT CAST(status AS text), category FROM listings WHERE external_id = 'a blue mug'"
    assert bench.rows(shown) == [("needs_review", "Kitchen >> Mugs")]
    assert bench.rows("SELECT model_id, coded_reason ->> 'code' FROM decisions") == [(None, "no_labelled_example")]
    ((ranked,),) = bench.rows("SELECT ranked FROM predictions WHERE model_id IS NULL")
    assert [category for category, _ in ranked] == ["Kitchen >> Mugs", "Kitchen >> Pans"]
    bring(bench, CategoryEntry("Drinks >> Blue mug"))
    work(bench, suggestions)
    assert bench.rows(shown) == [("needs_review", "Drinks >> Blue mug")]


def test_names_are_embedded_once_and_only_the_new_ones_later(bench: Bench) -> None:
    taxonomy_id = bring(bench, *ENTRIES)
    encoder = WordEncoder()
    suggestions = cache(bench, encoder)
    assert suggestions(taxonomy_id) is not None
    encoder.asked.clear()
    assert suggestions(taxonomy_id) is not None
    assert encoder.asked == []
    add_categories(bench.context.engine, find_or_add_source(bench.context.units, "cold"), ["Kitchen >> Pots"])
    assert suggestions(taxonomy_id) is not None
    assert encoder.asked == ["buy Pots", "buy Kitchen, Pots"]


def test_labels_and_the_first_listings_are_seen_after_a_while(bench: Bench) -> None:
    taxonomy_id = bring(bench, *ENTRIES)
    now = [0.0]
    suggestions = cache(bench, WordEncoder(), now)
    first = suggestions(taxonomy_id)
    assert first is not None
    assert (first.background, first.has_labels) == (None, False)
    post(bench, "mug", "Kitchen >> Mugs")
    again = suggestions(taxonomy_id)
    assert again is not None
    assert not again.has_labels
    now[0] = RECHECK_SECONDS
    later = suggestions(taxonomy_id)
    assert later is not None
    assert later.has_labels
    assert later.background is not None


def test_without_categories_or_an_encoder_there_are_no_suggestions(bench: Bench) -> None:
    taxonomy_id = bring(bench)
    assert cache(bench, WordEncoder())(taxonomy_id) is None
    tries = []

    def unavailable() -> TextExtractor:
        tries.append(1)
        raise Unavailable(Reason.other("it is not installed"))

    bring(bench, *ENTRIES)
    with bench.context.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE categories SET retired_at = now()")
    assert cache(bench, WordEncoder())(taxonomy_id) is None, "all are retired"
    with bench.context.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE categories SET retired_at = NULL")
    suggestions = SuggestionCache(bench.context.engine, unavailable)
    assert suggestions(taxonomy_id) is None
    assert suggestions(taxonomy_id) is None
    assert len(tries) == 1
    post(bench, "a blue mug")
    work(bench, suggestions)
    assert bench.rows("SELECT CAST(status AS text), reason FROM decisions") == [("abstained", "no model yet")]


@pytest.fixture
def encoder() -> TextExtractor:
    """The real encoder of names."""
    if bundled_weights("use") is None:
        pytest.skip("the encoder of texts is not installed")
    return build_name_encoder()


def accuracy(names: CategoryNames, examples: list[tuple[Evidence, str]], level: int) -> float:
    """The share of listings whose most probable category at this level is their own."""
    top = [" >> ".join(category.split(" >> ")[:level]) for _, category in examples]
    categories = sorted(set(top))
    vectors = names.encode([evidence for evidence, _ in examples])
    best = names.probabilities_of(categories, vectors, mean_vector(vectors)).argmax(axis=1)
    return float(np.mean([categories[at] == own for at, own in zip(best, top, strict=True)]))


def test_real_listings_are_ranked_well_by_names_alone(shared_data: Path, encoder: TextExtractor) -> None:
    rows = [row.content for row in open_catalogue(shared_data / "flipkart" / "listings.csv") if row.content]
    examples = [(Evidence(c.name, c.description), c.seller_category) for c in rows if c.seller_category]
    tops = sorted({category.split(" >> ")[0] for _, category in examples})
    assert accuracy(CategoryNames(encoder).fit([CategoryEntry(top) for top in tops]), examples, 1) >= 0.58
    paths = sorted({" >> ".join(category.split(" >> ")[:3]) for _, category in examples})
    assert accuracy(CategoryNames(encoder).fit([CategoryEntry(path) for path in paths]), examples, 1) >= 0.8
