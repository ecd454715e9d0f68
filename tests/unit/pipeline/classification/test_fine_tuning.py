"""Fine-tuning: the real program on a few photos, and the choice between its network and the published one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pytest

from pipeline.classification.evidence_views import EvidenceFeatures, Extractors, View
from pipeline.classification.feature_join import fit_join
from pipeline.classification.fine_tuning import PhotoSet, fit_fine_tuned, tunable_network
from pipeline.classification.modality_fitting import fit_modality
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.targets import Targets
from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import Progress, no_progress
from pipeline.features.extractor import ImageExtractor, Photo, Vectors, build_extractor, load_extractor
from pipeline.features.photo_decoding import decode_photo
from pipeline.features.squeezenet import SqueezeNet
from pipeline.networks.backbones import Backbone, find_backbone, network_input, resize_photo
from pipeline.networks.engine import ExportedNetwork, OpenVinoEngine
from pipeline.networks.fine_tuning import (
    FineTunedNetwork,
    FineTuningHistory,
    FineTuningSchedule,
    LabelledPhotos,
    fine_tune,
)
from tests.unit.pipeline.classification.catalogues import photo
from tests.unit.pipeline.networks.samples import write_weights

# The exports that these tests share are made once.
pytestmark = pytest.mark.xdist_group("finetuning")

BACKBONE = find_backbone("squeezenet")
LABELS = np.arange(18) % 2
FOLDS = np.arange(18) // 2 % 3
TARGETS = Targets(LABELS, 2, FOLDS)
PHOTOS = [photo(("stripes", "circles")[label], at) for at, label in enumerate(LABELS)]
EVIDENCES = [Evidence("", photo=content) for content in PHOTOS]
PIXELS = np.stack([resize_photo(BACKBONE, decode_photo(content)) for content in PHOTOS])
FIRST_FOLD_VALIDATES = LabelledPhotos(PIXELS, LABELS, FOLDS == 0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(BACKBONE, tmp_path_factory.mktemp("weights") / "random.h5")


class FineTuningRun(NamedTuple):
    tuned: FineTunedNetwork
    steps: list[tuple[float, str]]


@pytest.fixture(scope="module")
def run(weights: Path) -> FineTuningRun:
    steps: list[tuple[float, str]] = []
    schedule = FineTuningSchedule(head_epochs=2, epochs=2, patience=2, batch_size=6)

    def report(share: float, note: str, /) -> None:
        steps.append((share, note))

    return FineTuningRun(fine_tune(BACKBONE, weights, FIRST_FOLD_VALIDATES, report, schedule), steps)


def test_a_network_is_fine_tuned_and_exported_with_its_history(run: FineTuningRun) -> None:
    shares = [share for share, _ in run.steps]
    assert shares == sorted(shares)
    assert any("epoch 1 of 2, validation accuracy" in note for _, note in run.steps)
    history = run.tuned.history
    assert [each.epoch for each in history.epochs] == [0, 1, 2]
    assert history.best_epoch == min(history.epochs, key=lambda each: each.loss).epoch
    assert FineTuningHistory.from_json(json.loads(json.dumps(history.as_json()))) == history
    vectors = OpenVinoEngine(run.tuned.network, 1).transform(network_input(BACKBONE, pixels) for pixels in PIXELS[:2])
    assert vectors.shape == (2, 512)
    assert np.isfinite(vectors).all()


def test_photos_without_any_to_validate_on_are_refused(weights: Path) -> None:
    with pytest.raises(InvalidInput, match="others for early stopping"):
        fine_tune(BACKBONE, weights, LabelledPhotos(PIXELS, LABELS, np.zeros(18, bool)), no_progress)


def test_a_failing_program_gives_its_reason(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.networks.fine_tuning.KERAS_PROGRAM", "pipeline.networks.nowhere")
    with pytest.raises(Unavailable, match=r"squeezenet could not be fine-tuned: .*No module named"):
        fine_tune(BACKBONE, weights, FIRST_FOLD_VALIDATES, no_progress)


def test_validation_photos_and_those_outside_are_not_trained_on() -> None:
    split = PhotoSet(PIXELS, TARGETS).training_split(FOLDS != 0, 1)
    assert split.validation.sum() == (FOLDS == 1).sum()
    assert len(split.pixels) == len(split.labels) == len(split.validation) == 6 + 2 * 6
    trained = {rows.tobytes() for rows in split.pixels[~split.validation]}
    assert not {rows.tobytes() for rows in PIXELS[FOLDS < 2]} & trained
    assert not {rows[:, ::-1].tobytes() for rows in PIXELS[FOLDS == 1]} & trained


class GivenVectors:
    """Takes the place of an exported network: its vectors are given, with the label in them if it ``separates``."""

    def __init__(self, *, separates: bool, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.vectors = {
            pixels.tobytes(): np.append(rng.normal(size=6), 3.0 * label if separates else 0.0).astype(np.float32)
            for pixels, label in zip(PIXELS, LABELS, strict=True)
        }


def transform(extractor: SqueezeNet, photos: list[Photo]) -> Vectors:
    network = cast(GivenVectors, extractor.network_)
    return np.stack([network.vectors[pixels.tobytes()] for pixels in photos])


@pytest.mark.parametrize("separates", [True, False])
def test_a_network_that_separates_held_out_photos_is_kept(
    weights: Path, monkeypatch: pytest.MonkeyPatch, *, separates: bool
) -> None:
    monkeypatch.setattr(SqueezeNet, "transform", transform)
    published = SqueezeNet(str(weights))
    published.network_, published.weights_sha256_ = cast(ExportedNetwork, GivenVectors(separates=False)), "0" * 64
    rows = published.transform(list(PIXELS))
    units = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    features = EvidenceFeatures({View.WHOLE: {"squeezenet": units}}, {View.WHOLE: np.ones(18, bool)})
    join = fit_join({"squeezenet": units}, TARGETS)
    plain = fit_modality({"squeezenet": cast(ImageExtractor, published)}, features, TARGETS, join)
    assert tunable_network(plain.model) is published
    splits: list[LabelledPhotos] = []

    def tuner(_backbone: Backbone, _weights: Path, photos: LabelledPhotos, _progress: Progress, /) -> FineTunedNetwork:
        splits.append(photos)
        network = cast(ExportedNetwork, GivenVectors(separates=separates, seed=2))
        return FineTunedNetwork(network, FineTuningHistory((), 1))

    found = fit_fine_tuned(plain, EVIDENCES, TARGETS, 0, no_progress, tuner=tuner)
    assert found.report.kept == separates
    assert found.fitted.usable.all()
    assert len(splits) == (4 if separates else 3)
    assert (found.fitted is plain) != separates
    if separates:
        model = found.fitted.model
        assert model is not None
        assert (found.fitted.probabilities.argmax(axis=1) == LABELS).all()
        assert cast(SqueezeNet, model.extractors["squeezenet"]).weights_sha256_ is None
        assert found.fitted.max_scores.mean() == pytest.approx(0.0, abs=1e-5)
        assert set(model.statistics) == {View.WHOLE}


def model_with(extractors: Extractors) -> ModalityModel:
    return ModalityModel(extractors, {}, {}, {})


def test_only_a_network_with_its_weights_file_can_be_fine_tuned(weights: Path) -> None:
    network, built_in = build_extractor("squeezenet", str(weights)), build_extractor("fisher")
    assert tunable_network(None) is None
    assert tunable_network(model_with({"fisher": built_in})) is None
    assert tunable_network(model_with({"squeezenet": load_extractor("squeezenet")()})) is None
    assert tunable_network(model_with({"squeezenet": network, "fisher": built_in})) is None
    assert tunable_network(model_with({"squeezenet": network})) is network
