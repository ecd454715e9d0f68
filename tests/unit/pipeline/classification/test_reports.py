"""Reports as JSON: keys, their order and types are those that stored manifests and scripts rely on.

``report_shapes.json`` was written by the program of commit f79786b on these catalogues.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.classification.evaluation import evaluate, evaluate_split
from pipeline.classification.fine_tuning import FineTuningReport
from pipeline.classification.metrics import Interval
from pipeline.classification.network_precision import NetworkRecord
from pipeline.classification.photo_training import Comparison, HeldOutScore
from pipeline.classification.training import train
from pipeline.domain.json_record import JsonObject
from pipeline.domain.training import TrainingOptions
from pipeline.networks.fine_tuning import FineTuningEpoch, FineTuningHistory
from pipeline.networks.precision import Precision
from tests.unit.pipeline.classification.catalogues import catalogue

SHAPES: dict[str, Any] = json.loads(Path(__file__).with_name("report_shapes.json").read_text(encoding="utf-8"))
ADDED = {"groups", "similar_categories", "hierarchy"}  # by later programs
LEVEL_2 = TrainingOptions(level=2)


def shape(value: object) -> object:
    """Keys in their order, the type of a list's first item, and names of types."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def trained() -> JsonObject:
    return train(catalogue(10), TrainingOptions(level=2, augmented_views=1)).report.as_json()


def trained_without_photos() -> JsonObject:
    return train(catalogue(10, photos=False), LEVEL_2).report.as_json()


def cross_validated() -> JsonObject:
    return evaluate(catalogue(10, photos=False), LEVEL_2, folds=2, unknown_categories=1).as_json()


def scored() -> JsonObject:
    return evaluate_split(catalogue(10, photos=False), catalogue(4, photos=False, seed=3), LEVEL_2).as_json()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("train", trained),
        ("train without photos", trained_without_photos),
        ("evaluate", cross_validated),
        ("evaluate_split", scored),
    ],
)
def test_a_report_has_the_keys_and_types_of_stored_ones(name: str, make: Callable[[], JsonObject]) -> None:
    # Through JSON, as it is stored, with the order of its keys.
    report = json.loads(json.dumps(make()))
    stored = {key: value for key, value in report.items() if key not in ADDED}
    expected = dict(SHAPES[name])
    if expected.get("left_out"):
        expected["left_out"] = {}  # a category of one listing is learned now
    assert json.dumps(shape(stored)) == json.dumps(expected)
    assert report.keys() - stored.keys() == ADDED & report.keys()


def test_a_network_is_recorded_with_its_comparison_or_without() -> None:
    compared = NetworkRecord(Precision.INT8, "fast enough", {Precision.INT8: 0.7499999, Precision.FP32: 0.75}, 54, "ab")
    assert compared.as_json() == {
        "precision": "int8",
        "reason": "fast enough",
        "accuracies": {"int8": 0.75, "fp32": 0.75},
        "photos": 54,
        "weights_sha256": "ab",
    }
    tuned = NetworkRecord(Precision.FP32, "fine-tuned on these listings")
    assert tuned.as_json() == {"precision": "fp32", "reason": "fine-tuned on these listings"}


def test_a_fine_tuning_is_recorded_with_its_histories() -> None:
    same = Interval(0.5, 0.4, 0.6)
    comparison = Comparison(HeldOutScore(same, 0.7), HeldOutScore(same, 0.6), Interval(0.0, 0.0, 0.0))
    history = FineTuningHistory((FineTuningEpoch(0, 0.9, 0.5), FineTuningEpoch(1, 0.8, 0.75)), 1)
    bounds = {"mean": 0.5, "low": 0.4, "high": 0.6}
    assert FineTuningReport(comparison, (history,)).as_json() == {
        "kept": True,
        "plain": {"accuracy": bounds, "log_loss": 0.7},
        "finetuned": {"accuracy": bounds, "log_loss": 0.6},
        "difference": {"mean": 0.0, "low": 0.0, "high": 0.0},
        "histories": [
            {
                "epochs": [
                    {"epoch": 0, "loss": 0.9, "accuracy": 0.5},
                    {"epoch": 1, "loss": 0.8, "accuracy": 0.75},
                ],
                "kept": 1,
            }
        ],
    }
