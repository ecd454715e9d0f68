"""What a study computed of a listing is not computed again while the listing stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import pytest

from infra.sample.generator import generate
from pipeline.domain import extractors
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Evidence, Submission
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress
from pipeline.domain.study import StudyPlan
from pipeline.features.extractor import ExtractorSettings, Photo, Vectors
from pipeline.steps.intake import accept
from pipeline.study.features import Features, FeatureStore, compute_features
from tests.integration.workers.conftest import Bench
from tests.integration.workers.study_bench import StudyBench
from tests.unit.pipeline.study.fake_steps import FakeStudySteps

COUNT = 16
PLAN = StudyPlan(extractors=("fisher", "mean_colour"), seeds=(0,), repeats=0)


class MeanColour(ExtractorSettings):
    """Stands for a pretrained network: a photo's vector does not depend on any other photo."""

    version: ClassVar[int] = 1
    seen: ClassVar[int] = 0

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    def fit(self, _photos: Sequence[Photo]) -> Self:
        return self

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        MeanColour.seen += len(photos)
        return np.stack([photo.mean(axis=(0, 1)) for photo in photos]).astype(np.float32)


class RealFeatures(FakeStudySteps):
    """Quick steps, but for the features."""

    def compute_features(
        self, name: str, evidences: Sequence[Evidence], store: FeatureStore, weights: str | None, progress: Progress
    ) -> Features:
        features = compute_features(name, evidences, store, weights, progress)
        self.calls[f"reused {name}"] = features.reused
        return features


@pytest.fixture
def studies(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> StudyBench:
    row = extractors.ExtractorSpec(
        "mean_colour", Modality.IMAGE, f"{__name__}:MeanColour", "nothing", takes_weights=True
    )
    monkeypatch.setattr(extractors, "EXTRACTORS", (*extractors.EXTRACTORS, row))
    monkeypatch.setattr(MeanColour, "seen", 0)
    made = StudyBench(bench, RealFeatures())
    photos = list(dict.fromkeys(jpeg for sample in generate(2 * COUNT) if (jpeg := sample.jpeg())))[:COUNT]
    post(made, [(f"s{n}", f"thing {n}", photo) for n, photo in enumerate(photos)])
    return made


def post(studies: StudyBench, listings: Sequence[tuple[str, str, bytes]]) -> None:
    context = studies.bench.context
    submissions = []
    for number, (external_id, name, photo) in enumerate(listings):
        key = context.photos.store(photo).storage_key
        submissions.append(Submission(external_id, Content(name, seller_category="AB"[number % 2], images=(key,))))
    accept(context.units, studies.bench.source.id, submissions, Priority.PIPELINE)
    studies.bench.run("UPDATE images SET status = 'stored', storage_key = reference")


def reused(studies: StudyBench) -> dict[str, int]:
    studies.begin(PLAN)
    studies.work()
    assert {status for status, _ in studies.trials().values()} == {"done"}, studies.trials()
    return {name: studies.steps.calls[f"reused {name}"] for name in PLAN.extractors}


def test_vectors_of_unchanged_listings_are_reused(studies: StudyBench) -> None:
    assert reused(studies) == {"fisher": 0, "mean_colour": 0}
    assert MeanColour.seen == COUNT
    assert reused(studies) == {"fisher": COUNT, "mean_colour": COUNT}
    assert MeanColour.seen == COUNT, "no photo was looked at again"


def test_a_changed_photo_is_looked_at_and_the_others_of_a_pretrained_extractor_are_not(studies: StudyBench) -> None:
    reused(studies)
    other = next(jpeg for sample in generate(8, seed=99) if (jpeg := sample.jpeg()))
    post(studies, [("s0", "thing 0", other)])
    found = reused(studies)
    assert found["mean_colour"] == COUNT - 1
    assert MeanColour.seen == COUNT + 1
    assert found["fisher"] == 0, "what learns from the catalogue learns anew"
