"""What a study computed of a listing is not computed again while the listing stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import pytest

from infra.sample.generator import generate
from pipeline.domain import extractors
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.prediction import Modality
from pipeline.domain.study import StudyPlan
from pipeline.features.extractor import ExtractorSettings, Photo, Vectors
from pipeline.steps.intake import accept
from pipeline.study import features
from pipeline.study.study_steps import StudySteps
from tests.integration.workers.conftest import Bench
from tests.integration.workers.studying import Academy
from tests.unit.pipeline.study.quick import Quick

COUNT = 16
PLAN = StudyPlan(extractors=("fisher", "mean_colour"), seeds=(0,), repeats=0)


class MeanColour(ExtractorSettings):
    """Stands for a pretrained network: a photo's vector does not depend on any other photo."""

    version: ClassVar[int] = 1
    seen: ClassVar[int] = 0

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    def fit(self, photos: Sequence[Photo]) -> Self:
        return self

    def transform(self, photos: Sequence[Photo]) -> Vectors:
        MeanColour.seen += len(photos)
        return np.stack([photo.mean(axis=(0, 1)) for photo in photos]).astype(np.float32)


class Reusing(Quick):
    """Stand-ins, but for the features."""

    def methods(self) -> StudySteps:
        return replace(super().methods(), compute=features.compute)

    def run(self, found: Any, labels: Any, kinds: int, plan: StudyPlan, progress: Any) -> Any:
        self.calls[f"reused {found.extractor}"] = found.reused
        return super().run(found, labels, kinds, plan, progress)


@pytest.fixture
def academy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Academy:
    row = extractors.ExtractorSpec(
        "mean_colour", Modality.IMAGE, f"{__name__}:MeanColour", "nothing", takes_weights=True
    )
    monkeypatch.setattr(extractors, "EXTRACTORS", (*extractors.EXTRACTORS, row))
    monkeypatch.setattr(MeanColour, "seen", 0)
    made = Academy(bench, Reusing())
    photos = list(dict.fromkeys(jpeg for sample in generate(2 * COUNT) if (jpeg := sample.jpeg())))[:COUNT]
    post(made, [(f"s{n}", f"thing {n}", photo) for n, photo in enumerate(photos)])
    return made


def post(academy: Academy, listings: Sequence[tuple[str, str, bytes]]) -> None:
    context = academy.bench.context
    submissions = []
    for number, (external_id, name, photo) in enumerate(listings):
        key = context.photos.store(photo).storage_key
        submissions.append(Submission(external_id, Content(name, seller_category="AB"[number % 2], images=(key,))))
    accept(context.units, academy.bench.source.id, submissions, Priority.PIPELINE)
    academy.bench.run("UPDATE images SET status = 'stored', storage_key = reference")


def reused(academy: Academy) -> dict[str, int]:
    academy.begin(PLAN)
    academy.work()
    assert {status for status, _ in academy.trials().values()} == {"done"}, academy.trials()
    return {name: academy.quick.calls[f"reused {name}"] for name in PLAN.extractors}


def test_vectors_of_unchanged_listings_are_reused(academy: Academy) -> None:
    assert reused(academy) == {"fisher": 0, "mean_colour": 0}
    assert MeanColour.seen == COUNT
    assert reused(academy) == {"fisher": COUNT, "mean_colour": COUNT}
    assert MeanColour.seen == COUNT, "no photo was looked at again"


def test_a_changed_photo_is_looked_at_and_the_others_of_a_pretrained_extractor_are_not(academy: Academy) -> None:
    reused(academy)
    other = next(jpeg for sample in generate(8, seed=99) if (jpeg := sample.jpeg()))
    post(academy, [("s0", "thing 0", other)])
    found = reused(academy)
    assert found["mean_colour"] == COUNT - 1
    assert MeanColour.seen == COUNT + 1
    assert found["fisher"] == 0, "what learns from the catalogue learns anew"
