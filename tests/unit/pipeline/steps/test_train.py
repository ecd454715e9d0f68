"""The use case: it continues from the previous extractors, and finds extractors in a study's report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from pipeline.domain.errors import Unavailable
from pipeline.domain.listing import Example
from pipeline.domain.progress import no_progress
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import Floats, ImageExtractor
from pipeline.features.fisher import Fisher
from pipeline.steps.train import (
    PreviousExtractors,
    TrainedVersion,
    TrainingPlan,
    default_extractors,
    rank_photo_extractors,
    train_version,
)
from tests.unit.pipeline.classification.catalogues import catalogue

# The training that these tests continue from is made once.
pytestmark = pytest.mark.xdist_group("training")

LISTINGS = 42


class Trained(NamedTuple):
    version: TrainedVersion
    axes: dict[str, Floats]


def fisher_of(version: TrainedVersion) -> Fisher:
    extractor = version.model.reader.extractors["fisher"]
    assert isinstance(extractor, Fisher)
    return extractor


def train(examples: Sequence[Example], previous: PreviousExtractors | None = None) -> Trained:
    plan = TrainingPlan("wear", TrainingOptions(level=2))
    version = train_version(examples, plan, lambda _name: Path("none"), no_progress, previous)
    axes = {part: vocabulary.projection.axes for part, vocabulary in fisher_of(version).vocabularies_.items()}
    return Trained(version, axes)


@pytest.fixture(scope="module")
def first() -> Trained:
    return train(catalogue())


def test_the_next_training_continues_on_the_same_axes_and_leaves_the_previous_model_alone(first: Trained) -> None:
    extractors = first.version.model.reader.extractors
    before = first.version.model.files()
    then = train(catalogue()[3:], PreviousExtractors(extractors, LISTINGS))
    assert all(np.array_equal(first.axes[part], then.axes[part]) for part in first.axes)
    assert then.version.manifest["learned_on"] == first.version.manifest["learned_on"] == LISTINGS
    assert fisher_of(then.version) is not extractors["fisher"]
    assert first.version.model.files() == before
    image: Any = then.version.manifest["image"]
    assert image["accuracy"] > 0.9


@pytest.mark.parametrize("why", ["outgrown", "other settings"])
def test_a_training_starts_anew_when_the_catalogue_has_outgrown_the_extractors_or_their_settings_differ(
    first: Trained, why: str
) -> None:
    extractor: ImageExtractor = fisher_of(first.version) if why == "outgrown" else Fisher(pairs=3)
    learned_on = 20 if why == "outgrown" else LISTINGS
    then = train(catalogue()[3:], PreviousExtractors({"fisher": extractor}, learned_on))
    assert not all(np.array_equal(first.axes[part], then.axes[part]) for part in first.axes)
    assert then.version.manifest["learned_on"] == LISTINGS - 3


REPORT: dict[str, Any] = {
    "supervised": [
        {"extractor": "tfidf", "modality": "text", "accuracy": {"mean": 0.97}},
        {"extractor": "sift", "modality": "image", "accuracy": {"mean": 0.6}},
        {"extractor": "squeezenet", "modality": "image", "accuracy": {"mean": 0.82}},
        {"extractor": "vgg16", "modality": "image", "accuracy": None},
    ],
    "trials": [
        {"extractor": "sift", "modality": "image", "protocol": "B", "ari": {"mean": 0.5}},
        {"extractor": "fisher", "modality": "image", "protocol": "B", "ari": {"mean": 0.4}},
        {"extractor": "vgg16", "modality": "image", "protocol": "B", "ari": None},
        {"extractor": "squeezenet", "modality": "image", "protocol": "A", "ari": {"mean": 0.9}},
    ],
}


def test_a_study_ranks_photo_extractors_by_accuracy_else_by_agreement() -> None:
    assert rank_photo_extractors(REPORT) == ["squeezenet", "sift"]
    assert rank_photo_extractors({**REPORT, "supervised": []}) == ["sift", "fisher"]
    assert rank_photo_extractors({}) == []


def test_the_default_ones_are_tried_beside_the_best_of_the_study_and_networks_that_it_has_not_measured(
    tmp_path: Path,
) -> None:
    def installed(name: str) -> Path:
        return tmp_path / name

    def absent(name: str) -> Path:
        raise Unavailable(f"no weights of {name}")

    networks = ("vgg16", "efficientnet", "efficientnet_lite2")
    measured = [*REPORT["supervised"][:3], *({"extractor": name, "modality": "image", "accuracy": {"mean": 0.7}}
                                             for name in networks)]  # fmt: skip
    default = ("fisher", "efficientnet")
    assert default_extractors({**REPORT, "supervised": measured}, installed) == (*default, "squeezenet")
    assert default_extractors(REPORT, installed) == (*default, "squeezenet", "efficientnet_lite2", "vgg16")
    assert default_extractors(REPORT, absent) == ("fisher", "sift")
    assert default_extractors(None, installed) == default
    assert default_extractors(None, absent) == ("fisher",)
