"""The pretrained encoder in text models: used where it helps, also for words that no training listing has."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from pipeline.classification import feature_extraction, modality_fitting
from pipeline.classification.evidence_views import EvidenceCase, View
from pipeline.classification.feature_extraction import cached_text_extractor, find_text_encoder
from pipeline.classification.modality_fitting import FittedModality, fit_text
from pipeline.classification.targets import Targets
from pipeline.classification.text_encoder import TextEncoder
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.errors import BadArtefact
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.training import TrainingOptions
from pipeline.features import use
from pipeline.features.extractor import Vectors
from tests.unit.pipeline.classification.catalogues import catalogue

# One copy of the network for all tests.
pytestmark = pytest.mark.xdist_group("sentence network")

OPTIONS = TrainingOptions(level=2, image_extractors=())
ENGLISH = {
    "Home >> Curtains": ["window curtain", "velvet drapes", "blackout curtains", "net curtain", "curtain with eyelets"],
    "Home >> Lamps": ["desk lamp", "floor lamp", "lamp shade", "led light bulb", "ceiling light"],
    "Wear >> Watches": ["wrist watch", "watch strap", "steel chronograph", "men's quartz watch", "diving watch"],
}
FRENCH = {
    "Home >> Curtains": ["rideau de fenêtre", "rideaux occultants", "voilage"],
    "Home >> Lamps": ["lampe de bureau", "lampadaire", "ampoule"],
    "Wear >> Watches": ["montre-bracelet", "montre à quartz pour homme", "bracelet de montre"],
}


class VectorsByName:
    """An encoder whose vectors of names are given by a function."""

    version = 1

    def __init__(self, vector_of: Callable[[str], Sequence[float]]) -> None:
        self._vector_of = vector_of

    def transform(self, evidences: Sequence[Evidence]) -> Vectors:
        return np.array([self._vector_of(each.name) for each in evidences], np.float32)


def random_words(count: int, *, attributes: bool) -> tuple[list[Evidence], Targets]:
    """Two categories by chance; half of the names say theirs, and in all a number is even or odd by it."""
    rng = random.Random(4)
    labels = np.array([number % 2 for number in range(count)])
    evidences = []
    for label in labels:
        word = ("red", "blue")[label] if rng.random() < 0.5 else "grey"
        noted = {"Shape": ("round", "square")[label if rng.random() < 0.8 else 1 - label]} if attributes else {}
        evidences.append(Evidence(f"{word} thing {2 * rng.randrange(10**9) + label}", "", noted))
    return evidences, Targets(labels, 2, np.arange(count) // 2 % 5)


def fit_with(
    vector_of: Callable[[str], Sequence[float]], count: int, monkeypatch: pytest.MonkeyPatch, *, attributes: bool = True
) -> FittedModality:
    encoder = TextEncoder("use", cast(Any, VectorsByName(vector_of)))
    monkeypatch.setattr(modality_fitting, "find_text_encoder", lambda *_: encoder)
    evidences, targets = random_words(count, attributes=attributes)
    return fit_text(evidences, targets, OPTIONS)


def informed(name: str) -> Sequence[float]:
    return (0.0, 1.0) if int(name.split()[-1]) % 2 else (1.0, 0.0)


def uninformed(name: str) -> Sequence[float]:
    angle = random.Random(name).uniform(0, 2 * np.pi)
    return float(np.cos(angle)), float(np.sin(angle))


def test_an_encoder_that_knows_more_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fit_with(informed, 400, monkeypatch)
    assert fitted.model is not None
    assert fitted.model.encoded is not None
    assert View.WORDS in fitted.model.encoded.views
    evidences, targets = random_words(400, attributes=True)
    assert (fitted.probabilities.argmax(axis=1) == targets.labels).mean() == 1.0
    features = fitted.model.text_features(evidences)
    assert (fitted.model.probabilities(features).argmax(axis=1) == targets.labels).mean() == 1.0


def test_an_encoder_that_knows_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fit_with(uninformed, 400, monkeypatch)
    assert fitted.model is not None
    assert fitted.model.encoded is None
    assert "encoder" not in fitted.model.state()
    unknown = fitted.model.text_features([Evidence("zzz")])
    assert not unknown.usable.any()


def test_with_few_listings_it_is_never_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fit_with(uninformed, 40, monkeypatch, attributes=False)
    assert fitted.model is not None
    assert fitted.model.encoded is not None
    assert fitted.model.encoded.views == (View.WHOLE,)


def examples(names: dict[str, list[str]]) -> list[Example]:
    return [
        Example(f"{category} {number}", Evidence(name), category)
        for category, group in names.items()
        for number, name in enumerate(group)
    ]


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    return train(examples(ENGLISH), OPTIONS).model


def best(model: TrainedModel, evidences: Sequence[Evidence]) -> list[str]:
    answers = model.answer(list(evidences))
    return [answer.text.best.category if answer.text else "" for answer in answers]


def test_a_model_taught_in_english_answers_in_french(trained: TrainedModel) -> None:
    asked = examples(FRENCH)
    assert best(trained, [example.evidence for example in asked]) == [example.category for example in asked]


def test_a_text_of_unknown_words_is_scored_by_the_encoder_alone(trained: TrainedModel) -> None:
    assert trained.text is not None
    evidences = [Evidence("lampadaire de bureau"), Evidence("desk lamp"), Evidence("12 !")]
    cases = trained.text.text_features(evidences).cases()
    assert {case: rows.tolist() for case, rows in cases.items()} == {
        EvidenceCase.WHOLE: [False, True, False],
        EvidenceCase.ENCODED: [True, False, False],
    }


def test_without_the_encoder_it_knows_no_french_word() -> None:
    model = train(examples(ENGLISH), replace(OPTIONS, text_encoder=None)).model
    assert best(model, [Evidence("lampadaire")]) in ([""], ["Home >> Lamps"])
    (answer,) = model.answer([Evidence("ночник")])
    assert answer.text is None


def test_the_saved_model_gives_the_same_answers(trained: TrainedModel) -> None:
    files = trained.files()
    assert "extractor_use.json" in files
    assert sum(map(len, files.values())) < 500_000  # without the weights of the encoder
    restored = TrainedModel.from_files(files)
    asked = [example.evidence for example in examples(FRENCH)]
    assert [answer.text for answer in restored.answer(asked)] == [answer.text for answer in trained.answer(asked)]


def test_a_saved_model_refuses_another_encoder(trained: TrainedModel) -> None:
    files = trained.files()
    digest = use.UniversalSentenceEncoder().fit([]).digest_
    files["extractor_use.json"] = files["extractor_use.json"].replace(digest.encode(), b"0" * 64)
    with pytest.raises(BadArtefact, match="the weights of use here are"):
        TrainedModel.from_files(files)


def test_one_label_for_each_category_is_enough_to_suggest() -> None:
    names = [names[0] for names in ENGLISH.values()]
    targets = Targets(np.arange(3), 3, np.arange(3))
    fitted = fit_text([Evidence(name) for name in names], targets, OPTIONS)
    assert fitted.model is not None
    features = fitted.model.text_features([Evidence(names[1]) for names in ENGLISH.values()])
    assert fitted.model.probabilities(features).argmax(axis=1).tolist() == [0, 1, 2]


def test_the_encoder_is_found_only_where_it_is_wanted_and_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_text_encoder(replace(OPTIONS, text_encoder=None)) is None
    assert find_text_encoder(replace(OPTIONS, text_extractor="sentence")) is None
    cache = cached_text_extractor(OPTIONS)
    assert cache is not None
    found = find_text_encoder(OPTIONS, cache)
    assert found is not None
    assert found.extractor is cast(Any, cache)
    monkeypatch.setattr(use, "bundled_weights", lambda _: None)
    monkeypatch.setenv("TFHUB_CACHE_DIR", "/nonexistent")
    assert find_text_encoder(OPTIONS) is None
    assert train(catalogue(photos=False), OPTIONS).model.text is not None


def test_whole_texts_are_encoded_as_in_serving_also_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_extraction, "MAX_LISTINGS_TO_ENCODE_ATTRIBUTES", 20)
    evidences = [Evidence(f"thing {number}", "", {"size": "7"} if number < 3 else {}) for number in range(40)]

    class Counts:
        def transform(self, listings: Sequence[Evidence]) -> np.ndarray[Any, Any]:
            return np.array([[1.0, len(evidence.attributes)] for evidence in listings], np.float32)

    encoder = TextEncoder("use", cast(Any, Counts()))
    extractors = feature_extraction.fit_text_extractor(evidences, OPTIONS)
    assert extractors is not None
    features = feature_extraction.extract_text_features(extractors, evidences, np.arange(40) % 2, encoder)
    assert set(features.encoded) == {View.WHOLE}, "too few listings have attributes to learn from them apart"
    assert features.encoded[View.WHOLE][:, 1].tolist() == [1.0] * 3 + [0.0] * 37
