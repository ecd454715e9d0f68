from dataclasses import replace

import numpy as np
import pytest

from pipeline.classification import feature_extraction
from pipeline.classification.evidence_views import View, text_features
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import DecisionStatus
from pipeline.features import extractor
from pipeline.features.tfidf import Tfidf
from tests.unit.pipeline.classification.catalogues import catalogue

KEYS = {"Home >> Curtains": "rings", "Home >> Lamps": "socket", "Wear >> Watches": "calibre"}


def with_attributes(each=25, share=1.0):
    """The made-up catalogue, whose listings also have an attribute that gives their kind away."""
    examples = catalogue(each, photos=False)
    return [
        replace(
            example, evidence=replace(example.evidence, attributes={KEYS[example.category]: f"{number % 3} pieces"})
        )
        if number % 10 < 10 * share
        else example
        for number, example in enumerate(examples)
    ]


@pytest.fixture(scope="module")
def split():
    return train(with_attributes(share=0.8), level=2, image_extractors=())[0]


def test_words_and_attributes_have_estimators_of_their_own(split):
    assert set(split.text.estimators) == {*View}
    assert set(split.text.pools) == {"words", "attributes", "both"}


@pytest.mark.parametrize(
    ("evidence", "category"),
    [
        (Evidence("Steel watch with dial"), "Wear >> Watches"),
        (Evidence("", attributes={"socket": "2 pieces"}), "Home >> Lamps"),
        (Evidence("Fine curtain", attributes={"rings": "1 pieces"}), "Home >> Curtains"),
        (Evidence("qqq", attributes={"rings": "1 pieces"}), "Home >> Curtains"),
        (Evidence("Fine curtain", attributes={"zzz": "xyzzy"}), "Home >> Curtains"),
    ],
)
def test_each_side_answers_alone_and_together(split, evidence, category):
    (answer,) = split.answer([evidence])
    assert answer.text.best.category == category
    assert sum(ranked.probability for ranked in answer.text.ranked) == pytest.approx(1, abs=1e-4)


def test_answers_do_not_depend_on_who_else_is_asked(split):
    evidences = [Evidence("Steel watch"), Evidence("", attributes={"socket": "1"}), Evidence("Desk lamp"), Evidence("")]
    together = split.answer(evidences)
    for evidence, found in zip(evidences, together, strict=True):
        (alone,) = split.answer([evidence])
        assert (alone.text is None) == (found.text is None)
        if found.text:
            assert alone.text.best.category == found.text.best.category
            assert alone.text.best.probability == pytest.approx(found.text.best.probability, abs=1e-5)
    assert together[3].decision.status is DecisionStatus.ABSTAINED


def test_saved_and_loaded_both_sides_are_there(split):
    again = TrainedModel.from_files(split.files())
    assert again.files() == split.files()
    evidences = [example.evidence for example in with_attributes(3, share=0.5)]
    assert [a.text for a in again.answer(evidences)] == [a.text for a in split.answer(evidences)]


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_few_attributes_are_read_with_the_words(share):
    model, _ = train(with_attributes(share=share), level=2, image_extractors=())
    assert set(model.text.estimators) == {View.WHOLE}
    (answer,) = model.answer([Evidence("Steel watch", attributes={"calibre": "2 pieces"})])
    assert answer.text.best.category == "Wear >> Watches"


def test_what_a_listing_lacks_is_not_seen():
    evidences = [Evidence("Steel watch", attributes={"calibre": "two"}), Evidence("Desk lamp"), Evidence("")]
    seen = text_features({"tfidf": Tfidf(least=1).fit(evidences)}, evidences, split=True)
    assert [list(seen.has[view]) for view in (View.WORDS, View.ATTRIBUTES)] == [
        [True, True, False],
        [True, False, False],
    ]
    assert list(seen.usable) == [True, True, False]
    assert {name: list(rows) for name, rows in seen.situations().items()} == {
        "words": [False, True, False],
        "attributes": [False, False, False],
        "both": [True, False, False],
    }
    assert list(seen.rows(np.array([2, 0])).usable) == [False, True]
    assert set(seen.whole().situations()) == {"whole"}


def test_a_pretrained_encoder_reads_a_text_once(monkeypatch):
    class Encoder:
        calls = 0

        def fit(self, evidences):
            return self

        def transform(self, evidences):
            Encoder.calls += len(evidences)
            return np.array([[len(evidence.name), 1.0] for evidence in evidences], np.float32)

    monkeypatch.setattr(extractor, "build_extractor", lambda name, weights: Encoder())
    known = feature_extraction.CachedTextExtractor("encoder", None)
    texts = [Evidence("a"), Evidence("bb"), Evidence("a", photo=b"x")]
    np.testing.assert_array_equal(known.transform(texts), [[1, 1], [2, 1], [1, 1]])
    known.transform(texts[:2])
    assert Encoder.calls == 2
