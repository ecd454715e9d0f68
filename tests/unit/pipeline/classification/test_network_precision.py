"""The precision that networks serve in: the rule, the photos it rests on, and the real network on drawn photos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import pytest

from infra.sample.generator import PhotoKind, generate
from pipeline.classification import network_precision
from pipeline.classification.evaluation import evaluate
from pipeline.classification.listing_groups import group_listings
from pipeline.classification.network_precision import (
    CALIBRATION_PHOTOS,
    PrecisionChoice,
    choose_precisions,
    draw_photos,
    fastest_allowed,
    with_precision,
)
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.targets import LabelledSet, select_labelled
from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.progress import no_progress
from pipeline.domain.training import AUTOMATIC_PRECISION, TrainingOptions
from pipeline.features.extractor import ImageExtractor, pack_state, unpack_state
from pipeline.features.fisher import Fisher
from pipeline.features.squeezenet import SqueezeNet
from pipeline.networks.engine import computes_bf16
from pipeline.networks.precision import Precision

# The exports that these tests share are made once.
pytestmark = pytest.mark.xdist_group("published squeezenet")

INT8, BF16, FP32 = Precision
LISTINGS = 72


@pytest.mark.parametrize(
    ("accuracies", "expected", "reason"),
    [
        ({FP32: 0.800, INT8: 0.796}, INT8, "int8 is -0.40 points of accuracy from fp32, within 0.5"),
        ({FP32: 0.800, INT8: 0.795}, INT8, "int8 is -0.50"),
        ({FP32: 0.800, INT8: 0.81}, INT8, "int8 is +1.00"),
        ({FP32: 0.800, INT8: 0.794, BF16: 0.799}, BF16, "int8 loses 0.60 points of accuracy, more than 0.5; bf16 is"),
        ({FP32: 0.800, INT8: 0.70, BF16: 0.79}, FP32, "bf16 loses 1.00 points"),
        ({FP32: 0.800, INT8: 0.70}, FP32, "int8 loses 10.00 points"),
    ],
)
def test_the_fastest_precision_within_half_a_point_is_chosen(
    accuracies: Mapping[Precision, float], expected: Precision, reason: str
) -> None:
    verdict = fastest_allowed(accuracies)
    assert verdict.precision is expected
    assert reason in verdict.reason


@pytest.mark.parametrize("seed", range(5))
def test_a_photo_that_int8_learned_its_ranges_from_never_judges_it(seed: int) -> None:
    """Also where several listings show the same photo, as here every one of 300 photos four times."""
    evidences = [Evidence(f"product {at}", photo=b"photo %d" % (at % 300)) for at in range(1_200)]
    evidences += [Evidence(f"without a photo {at}") for at in range(50)]
    draw = draw_photos(evidences, seed)
    calibration = {evidences[at].photo for at in draw.calibration}
    comparison = {evidences[at].photo for at in draw.comparison}
    assert len(draw.calibration) == CALIBRATION_PHOTOS
    assert len(comparison) > 200
    assert not calibration & comparison
    assert None not in calibration | comparison


@pytest.fixture(scope="module")
def squeezenet(shared_data: Path) -> SqueezeNet:
    path = shared_data / "weights" / SqueezeNet.backbone.published.name
    if not path.is_file():
        pytest.skip(f"the weights of squeezenet are not in {path.parent}")
    return SqueezeNet(weights=str(path)).fit([])


@pytest.fixture(scope="module")
def labelled() -> LabelledSet:
    drawn = [each for each in generate(2 * LISTINGS) if each.photo_kind is PhotoKind.OWN][:LISTINGS]
    return select_labelled([Example(e.external_id, Evidence("", "", {}, e.jpeg()), e.category) for e in drawn], level=1)


class Choose(Protocol):
    def __call__(
        self, extractor: object, wanted: str = AUTOMATIC_PRECISION, listings: int = LISTINGS
    ) -> PrecisionChoice: ...


@pytest.fixture
def choose(labelled: LabelledSet) -> Choose:
    def chosen(extractor: object, wanted: str = AUTOMATIC_PRECISION, listings: int = LISTINGS) -> PrecisionChoice:
        few = select_labelled(labelled.examples[:listings], level=1)
        groups = group_listings(few.examples, few.listing_categories, 5)
        extractors = {"squeezenet": cast(ImageExtractor, extractor)}
        options = TrainingOptions(network_precision=wanted)
        return choose_precisions(extractors, few, groups, options, PhotoReader, no_progress)

    return chosen


def precision_of(extractor: object) -> Precision:
    assert isinstance(extractor, SqueezeNet)
    return extractor.network_.precision


def test_a_real_network_is_compared_on_photos_it_was_not_quantised_by_and_recorded(
    squeezenet: SqueezeNet, choose: Choose, labelled: LabelledSet
) -> None:
    choice = choose(squeezenet)
    record = choice.networks["squeezenet"]
    accuracies = record.accuracies
    assert accuracies is not None
    assert {INT8, FP32} <= accuracies.keys()
    int8_loses = accuracies[INT8] < accuracies[FP32] - network_precision.ALLOWED_LOSS
    assert (BF16 in accuracies) == (int8_loses and computes_bf16())
    verdict = fastest_allowed(accuracies)
    assert record.precision is verdict.precision
    assert record.reason.endswith(verdict.reason), "what this processor cannot do may come before"
    assert record.photos == LISTINGS - LISTINGS // 4
    assert record.weights_sha256 == SqueezeNet.backbone.published.sha256
    taken = choice.reader.extractors["squeezenet"]
    assert precision_of(taken) is record.precision
    # What serves after a round trip through the files is what the estimators will have been fitted on.
    evidence = labelled.examples[0].evidence
    descriptors = choice.reader.describe(evidence).descriptors
    assert descriptors is not None
    again = SqueezeNet.from_state(unpack_state("e", pack_state("e", taken.state())))
    served = PhotoReader({"squeezenet": again}).describe(evidence).descriptors
    assert served is not None
    np.testing.assert_array_equal(served["squeezenet"], descriptors["squeezenet"])


def test_a_requested_precision_is_used_without_a_comparison(squeezenet: SqueezeNet, choose: Choose) -> None:
    choice = choose(squeezenet, "bf16")
    assert choice.networks["squeezenet"].precision is BF16
    assert choice.networks["squeezenet"].accuracies == {}
    assert precision_of(choice.reader.extractors["squeezenet"]) is BF16
    with pytest.raises(InvalidInput, match="int8, bf16, fp32"):
        choose(squeezenet, "int4")


def test_too_few_photos_leave_a_network_in_fp32(squeezenet: SqueezeNet, choose: Choose) -> None:
    choice = choose(squeezenet, listings=24)
    assert choice.reader.extractors["squeezenet"] is squeezenet
    assert choice.networks["squeezenet"].precision is FP32
    assert "too few to compare" in choice.networks["squeezenet"].reason


def test_a_network_that_cannot_be_quantised_is_compared_without_int8(
    squeezenet: SqueezeNet, choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise Unavailable("nncf is not installed here")

    monkeypatch.setattr("pipeline.features.pretrained_network.quantise", fails)
    record = choose(squeezenet).networks["squeezenet"]
    assert record.accuracies is not None
    # With so few photos one or two of them decide which is taken.
    assert record.accuracies.keys() == ({BF16, FP32} if computes_bf16() else {FP32})
    assert record.precision is fastest_allowed(record.accuracies).precision
    assert "nncf is not installed" in record.reason


def test_extractors_that_learn_from_the_catalogue_have_no_precision(choose: Choose) -> None:
    fisher = object()
    choice = choose(fisher)
    assert choice.reader.extractors == {"squeezenet": fisher}
    assert choice.networks == {}


def test_an_evaluation_takes_networks_in_its_precision_and_leaves_others_alone(
    squeezenet: SqueezeNet, labelled: LabelledSet
) -> None:
    extractors: dict[str, ImageExtractor] = {"squeezenet": squeezenet, "fisher": Fisher()}
    evidences = [example.evidence for example in labelled.examples]
    assert with_precision(FP32, extractors, evidences, 0) == extractors
    halved = with_precision(BF16, extractors, evidences, 0)
    assert halved["fisher"] is extractors["fisher"]
    assert precision_of(halved["squeezenet"]) is BF16
    assert precision_of(squeezenet) is FP32
    with pytest.raises(InvalidInput, match="int4"):
        evaluate(list(labelled.examples), TrainingOptions(network_precision="int4"))
