"""Scores of subcategories: what they separate, how they are pooled and saved."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from pipeline.classification.calibration import Pool
from pipeline.classification.estimators import fit_ridge
from pipeline.classification.evidence_views import EvidenceFeatures, Extractors, View
from pipeline.classification.modality_fitting import fit_modality
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.subcategory_scores import SubcategoryScores
from pipeline.classification.targets import MIN_LISTINGS_PER_SUBCATEGORY, Targets
from pipeline.classification.trained_model import BUNDLE_FORMAT, TrainedModel
from pipeline.classification.training import train
from pipeline.domain.errors import BadArtefact
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import Floats, pack_state, unpack_state
from tests.unit.pipeline.classification.catalogues import NoExtractor, catalogue

GIVEN = cast(Extractors, {"fisher": None})


def corners(count: int = 160) -> tuple[Floats, Targets]:
    """Two categories of two opposite corners of a square each: no line tells them apart, four corners each a little."""
    corner = np.arange(count) % 4
    noise = np.random.default_rng(0).normal(0, 0.25, (count, 2))
    places = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]])[corner] + noise
    paths = [f"{'AB'[each // 2]} >> {each}" for each in corner]
    targets = Targets.from_paths(paths, corner // 2, 2, np.arange(count) // 4 % 5, 1)
    return places.astype(np.float32), targets


def test_subcategories_separate_photos_that_categories_cannot_and_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    places, targets = corners()
    features = EvidenceFeatures({View.WHOLE: {"fisher": places}}, {View.WHOLE: np.ones(len(places), bool)})
    fitted = fit_modality(GIVEN, features, targets)
    coarse = fit_modality(GIVEN, features, targets.without_subcategories())
    assert (fitted.probabilities.argmax(1) == targets.labels).mean() > 0.95
    assert (coarse.probabilities.argmax(1) == targets.labels).mean() < 0.7
    assert fitted.model is not None
    probabilities = fitted.model.probabilities(features)
    assert probabilities.shape == (len(places), 2)
    monkeypatch.setattr("pipeline.classification.modality_model.load_extractor", lambda _name: NoExtractor)
    state = fitted.model.state() | {"projection_fisher": np.zeros((2, 2), np.float32)}
    files = pack_state("image", state) | pack_state("extractor_fisher", {})
    again = ModalityModel.from_files("image", ["fisher"], files)
    assert np.array_equal(again.probabilities(features), probabilities)


def test_the_sum_of_subcategory_scores_is_the_score_of_their_category() -> None:
    places, targets = corners()
    below = targets.subcategories
    assert below is not None
    fine = fit_ridge(places, targets.at_subcategories(), (0.3,))
    coarse = fit_ridge(places, targets, (0.3,))
    pools = {View.WHOLE: Pool(np.ones(1, np.float32), np.zeros(4, np.float32))}
    summed, _ = SubcategoryScores(below.parents, pools).category_scores(View.WHOLE, fine.held_out)
    np.testing.assert_allclose(summed, coarse.held_out, atol=1e-4)


def test_a_model_with_subcategories_survives_saving_and_an_unknown_format_is_refused() -> None:
    examples = catalogue(MIN_LISTINGS_PER_SUBCATEGORY + 2, texts=False)
    files = train(examples, TrainingOptions(level=1)).model.files()
    assert TrainedModel.from_files(files).files() == files
    top: dict[str, Any] = unpack_state("model", files)
    for known in (2, BUNDLE_FORMAT):
        TrainedModel.from_files(files | pack_state("model", {**top, "format": known}))
    with pytest.raises(BadArtefact, match="train a new one"):
        TrainedModel.from_files(files | pack_state("model", {**top, "format": BUNDLE_FORMAT + 1}))
