"""Augmented views of training photos, and several extractors: fitted, chosen, saved."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from pipeline.classification import photo_training
from pipeline.classification.evidence_views import EvidenceCase, EvidenceFeatures, Extractors, View
from pipeline.classification.modality_fitting import FittedModality
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.photo_training import AugmentedFeatures, fit_augmented, useful_extractors
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


def fitted_pair(signals: dict[str, float]) -> tuple[FittedModality, Targets]:
    """The fit of extractors whose vectors say more or less about the labels; every third listing has no photo."""
    rng = np.random.default_rng(0)
    labels = np.arange(180) % 3
    units = {}
    for name, signal in signals.items():
        rows = rng.normal(size=(180, 8)) + signal * np.eye(3, 8)[labels]
        units[name] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    features = EvidenceFeatures({View.WHOLE: units}, {View.WHOLE: np.arange(180) // 3 % 3 > 0})
    targets = Targets(labels, 3, np.arange(180) // 3 % 5)
    no_views = AugmentedFeatures({}, np.zeros(0, np.int64))
    return fit_augmented(cast(Extractors, dict.fromkeys(units)), features, no_views, targets, 0).fitted, targets


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ({"sift": 1.0, "fisher": 1.0}, ("sift", "fisher")),
        ({"sift": 3.0, "fisher": 0.0}, ("sift",)),
        ({"sift": 0.0, "fisher": 3.0}, ("fisher",)),
        ({"sift": 0.0, "fisher": 1.5, "squeezenet": 1.5}, ("fisher", "squeezenet")),
        ({"fisher": 3.0}, ("fisher",)),
    ],
    ids=["both help", "the second is noise", "the first is noise", "one of three is noise", "only one"],
)
def test_extractors_that_do_not_make_held_out_labels_likelier_are_left_out(
    signals: dict[str, float], expected: tuple[str, ...]
) -> None:
    fitted, targets = fitted_pair(signals)
    if len(signals) > 1:
        assert set(fitted.single_scores) == set(signals)
    else:
        fitted = replace(fitted, model=cast(ModalityModel, SimpleNamespace(extractors=signals)))
    assert useful_extractors(fitted, targets) == expected


def test_a_training_leaves_out_a_useless_extractor_only_if_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_training, "useful_extractors", lambda *_: ("fisher",))
    options = TrainingOptions(level=2, image_extractors=("fisher", "sift"))
    for prune, expected in ((False, ["fisher", "sift"]), (True, ["fisher"])):
        model = train(catalogue(10, texts=False), replace(options, prune_extractors=prune)).model
        assert model.image is not None
        assert list(model.image.extractors) == expected
        assert list(model.reader.extractors) == expected
