"""Words and attributes: estimators of their own, answers from either and from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from pipeline.classification.evidence_views import EvidenceCase, View, text_features
from pipeline.classification.feature_extraction import CachedTextExtractor
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.prediction import Prediction
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import Floats, TextExtractor
from pipeline.features.tfidf import Tfidf
from tests.unit.pipeline.classification.catalogues import catalogue

KEYS = {"Home >> Curtains": "rings", "Home >> Lamps": "socket", "Wear >> Watches": "calibre"}
OPTIONS = TrainingOptions(level=2, image_extractors=())


def with_attributes(each: int = 25, share: float = 1.0) -> list[Example]:
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
def model() -> TrainedModel:
    return train(with_attributes(share=0.8), OPTIONS).model


def text_of(model: TrainedModel) -> ModalityModel:
    assert model.text is not None
    return model.text


def answered(model: TrainedModel, evidence: Evidence) -> Prediction:
    (answer,) = model.answer([evidence])
    assert answer.text is not None
    return answer.text


def test_words_and_attributes_have_estimators_of_their_own(model: TrainedModel) -> None:
    assert set(text_of(model).estimators) == {*View}
    assert set(text_of(model).pools) == {*EvidenceCase} - {EvidenceCase.WHOLE}


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
def test_words_and_attributes_answer_alone_and_together(model: TrainedModel, evidence: Evidence, category: str) -> None:
    prediction = answered(model, evidence)
    assert prediction.best.category == category
    assert sum(ranked.probability for ranked in prediction.ranked) == pytest.approx(1, abs=1e-4)


def test_an_answer_does_not_depend_on_the_other_listings_of_the_call(model: TrainedModel) -> None:
    evidences = [Evidence("Steel watch"), Evidence("", attributes={"socket": "1"}), Evidence("Desk lamp"), Evidence("")]
    together = model.answer(evidences)
    for evidence, found in zip(evidences, together, strict=True):
        (alone,) = model.answer([evidence])
        assert (alone.text is None) == (found.text is None)
        if alone.text and found.text:
            assert alone.text.best.category == found.text.best.category
            assert alone.text.best.probability == pytest.approx(found.text.best.probability, abs=1e-5)
    assert together[3].decision.status is DecisionStatus.ABSTAINED


def test_a_saved_model_keeps_all_views(model: TrainedModel) -> None:
    again = TrainedModel.from_files(model.files())
    assert again.files() == model.files()
    evidences = [example.evidence for example in with_attributes(3, share=0.5)]
    assert [each.text for each in again.answer(evidences)] == [each.text for each in model.answer(evidences)]


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_few_attributes_are_read_with_the_words(share: float) -> None:
    model = train(with_attributes(share=share), OPTIONS).model
    assert set(text_of(model).estimators) == {View.WHOLE}
    evidence = Evidence("Steel watch", attributes={"calibre": "2 pieces"})
    assert answered(model, evidence).best.category == "Wear >> Watches"


def test_features_know_the_views_that_a_listing_has() -> None:
    evidences = [Evidence("Steel watch", attributes={"calibre": "two"}), Evidence("Desk lamp"), Evidence("")]
    features = text_features({"tfidf": Tfidf(least=1).fit(evidences)}, evidences, split=True)
    assert features.has[View.WORDS].tolist() == [True, True, False]
    assert features.has[View.ATTRIBUTES].tolist() == [True, False, False]
    assert features.usable.tolist() == [True, True, False]
    assert {case: rows.tolist() for case, rows in features.cases().items()} == {
        EvidenceCase.WORDS: [False, True, False],
        EvidenceCase.ATTRIBUTES: [False, False, False],
        EvidenceCase.BOTH: [True, False, False],
    }
    assert features.subset(np.array([2, 0])).usable.tolist() == [False, True]
    assert set(features.whole().cases()) == {EvidenceCase.WHOLE}


class CountingEncoder:
    """An encoder that counts the texts it is given."""

    def __init__(self) -> None:
        self.texts = 0

    def fit(self, _evidences: Sequence[Evidence]) -> CountingEncoder:
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Floats:
        self.texts += len(evidences)
        return np.array([[len(evidence.name), 1.0] for evidence in evidences], np.float32)


def test_a_cached_extractor_encodes_a_text_once() -> None:
    encoder = CountingEncoder()
    cached = CachedTextExtractor("encoder", cast(TextExtractor, encoder))
    texts = [Evidence("a"), Evidence("bb"), Evidence("a", photo=b"x")]
    np.testing.assert_array_equal(cached.transform(texts), [[1, 1], [2, 1], [1, 1]])
    cached.transform(texts[:2])
    assert encoder.texts == 2
