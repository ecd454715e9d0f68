"""Augmented views of training photos, and several extractors: fitted, chosen, saved."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from pipeline.classification import photo_training
from pipeline.classification.evidence_views import EvidenceCase, EvidenceFeatures, Extractors, View
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.photo_training import AugmentedFeatures, fit_augmented
from pipeline.classification.targets import Targets
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import TrainingResult, train
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import pack_state
from tests.unit.pipeline.classification.catalogues import NoExtractor, catalogue

OPTIONS = TrainingOptions(level=2, augmented_views=1)


@pytest.fixture(scope="module")
def trained() -> TrainingResult:
    return train(catalogue(texts=False), OPTIONS)


def test_the_report_compares_the_fits_with_and_without_views(trained: TrainingResult) -> None:
    report = trained.report.augmentation
    assert report is not None
    assert report.views == 42
    comparison = report.comparison
    assert comparison.kept == (comparison.other.log_loss < comparison.plain.log_loss)
    for accuracy in (comparison.plain.accuracy, comparison.other.accuracy):
        assert 0 <= accuracy.low <= accuracy.mean <= accuracy.high <= 1
    gained = comparison.other.accuracy.mean - comparison.plain.accuracy.mean
    assert comparison.difference.mean == pytest.approx(gained)


def test_the_same_seed_gives_the_same_model_with_views(trained: TrainingResult) -> None:
    files = train(catalogue(texts=False), OPTIONS).model.files()
    assert files == trained.model.files()
    assert TrainedModel.from_files(files).files() == files


def test_views_fill_the_room_that_photos_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_training, "MAX_TRAINING_ROWS", 30 + 30 + 10)
    report = train(catalogue(10, texts=False), TrainingOptions(level=2, augmented_views=5)).report.augmentation
    assert report is not None
    assert report.views == 30 + 10


def test_several_extractors_have_a_joint_estimator_and_one_each_and_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    units = {}
    for name in ("sift", "fisher"):
        rows = rng.normal(size=(90, 8)) + 2 * np.eye(3, 8)[labels]
        units[name] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    features = EvidenceFeatures({View.WHOLE: units}, {View.WHOLE: np.ones(90, bool)})
    no_views = AugmentedFeatures({}, np.zeros(0, np.int64))
    extractors = cast(Extractors, dict.fromkeys(units))
    targets = Targets(labels, 3, np.arange(90) // 3 % 5)
    fitted = fit_augmented(extractors, features, no_views, targets, 0).fitted.with_embeddings(features, 0)
    model = fitted.model
    assert model is not None
    assert list(model.single_extractor) == ["sift", "fisher"]
    assert len(model.pools[EvidenceCase.WHOLE].slopes) == 3
    assert (fitted.probabilities.argmax(axis=1) == labels).mean() > 0.9
    monkeypatch.setattr("pipeline.classification.modality_model.load_extractor", lambda _name: NoExtractor)
    files = pack_state("image", model.state())
    files |= pack_state("extractor_sift", {}) | pack_state("extractor_fisher", {})
    again = ModalityModel.from_files("image", ["sift", "fisher"], files)
    assert np.array_equal(again.probabilities(features), model.probabilities(features))
