"""Unknown categories: each is held out of one training."""

from __future__ import annotations

import pytest

from pipeline.classification.evaluation import evaluate
from pipeline.domain.errors import InvalidInput
from pipeline.domain.training import TrainingOptions
from tests.unit.pipeline.classification.catalogues import catalogue


def test_categories_are_held_out_one_at_a_time() -> None:
    shares: list[float] = []
    report = evaluate(
        catalogue(10, photos=False),
        TrainingOptions(level=2, image_extractors=()),
        folds=2,
        unknown_categories=2,
        progress=lambda share, _note: shares.append(share),
    )
    unknown = report.unknown
    assert unknown is not None
    assert len({each.category for each in unknown.categories}) == 2
    assert unknown.n == sum(each.n for each in unknown.categories) == 20
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_two_categories_are_too_few_to_hold_one_out() -> None:
    options = TrainingOptions(level=1, image_extractors=())
    with pytest.raises(InvalidInput, match="at least 3"):
        evaluate(catalogue(10, photos=False), options, folds=2, unknown_categories=1)
