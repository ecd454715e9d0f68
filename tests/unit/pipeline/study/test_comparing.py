"""Further ways to cluster beside k-means: the same places, bounded, and no failure that costs another's figures."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.domain.prediction import Modality
from pipeline.domain.study import FURTHER, StudyPlan
from pipeline.study import clustering_comparison, trials
from pipeline.study.features import Features
from pipeline.study_report.language import WORDS

LIMIT = clustering_comparison.LIMIT
PLAN = StudyPlan(seeds=(0, 1), perplexity=10.0, clusterings=FURTHER)
LABELS = np.repeat(np.arange(3), 40)


def features() -> Features:
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(3, 30))[LABELS] + 0.3 * rng.normal(size=(120, 30))).astype(np.float32)
    has = np.arange(120) >= 2
    matrix[~has] = 0
    return Features("word2vec", Modality.TEXT, matrix, has, 1.5, 1_000, 0)


@cache
def trial() -> trials.TrialResult:
    return trials.run(features(), LABELS, 3, PLAN, lambda share, note: None)


def compared(plan: StudyPlan = PLAN) -> list[dict[str, Any]]:
    shares: list[float] = []
    planes = (np.array(trial().picture["rows"]), trial().planes)
    rows = clustering_comparison.compare(features(), planes, LABELS, 3, plan, lambda share, note: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] < 1
    json.dumps(rows, allow_nan=False)
    return rows


def without_time(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"seconds": 0} for row in rows]


def test_k_means_stands_beside_them_with_the_figures_of_its_trial() -> None:
    rows = compared()
    assert [(row["protocol"], row["method"]) for row in rows] == [
        (protocol, method) for protocol in "BA" for method in ("kmeans", "spectral", "hdbscan")
    ]
    for row, known in zip((rows[3], rows[0]), trial().rows, strict=True):
        assert row["ari"] == known["ari"]
        assert (row["n"], row["of"], row["clusters"], row["noise"]) == (118, 118, 3.0, None)
    for row in rows:
        assert row["status"] == "done"
        assert row["ari"]["low"] <= row["ari"]["mean"] <= row["ari"]["high"]
        assert row["ari"]["mean"] > (0.3 if row["method"] == "hdbscan" else 0.95)
    assert all(0 <= row["noise"] < 1 and row["clusters"] >= 1 for row in rows if row["method"] == "hdbscan")


def test_only_what_was_asked_for_is_tried_and_it_repeats() -> None:
    plan = StudyPlan(seeds=(0, 1), clusterings=FURTHER[:1])
    rows = compared(plan)
    assert [row["method"] for row in rows] == ["kmeans", "spectral"] * 2
    assert without_time(rows) == without_time(compared(plan))


def test_of_very_many_listings_a_sample_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering_comparison, "LIMIT", 60)
    assert f"{LIMIT:,}" in WORDS["clusterings_sampled"]
    rows = compared()
    assert [(row["n"], row["of"]) for row in rows] == [(60, 118)] * 6
    assert all(row["status"] == "done" for row in rows)


def test_noise_counts_as_one_more_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def halves(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """The first category, and what is left of the others, is noise."""
        return np.where(np.arange(len(vectors)) < 38, -1, np.where(np.arange(len(vectors)) < 78, 0, -1))

    monkeypatch.setattr(clustering_comparison.density, "clusters", halves)
    row = compared()[2]
    assert (row["clusters"], round(row["noise"], 3)) == (1.0, round(78 / 118, 3))
    assert 0.4 < row["ari"]["mean"] < 0.6


def test_a_solver_that_does_not_come_to_an_end_costs_its_own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*given: object) -> None:
        raise RuntimeError("no convergence")

    monkeypatch.setattr(clustering_comparison.spectral, "embedded", endless)
    rows = compared()
    assert [row["status"] for row in rows] == ["done", "failed", "done"] * 2
    assert (rows[1]["ari"], rows[1]["reason"]) == (None, "RuntimeError: no convergence")


def test_the_best_of_each_modality_under_b_is_chosen() -> None:
    def kept(name: str, modality: str, ari: float | None) -> dict[str, Any]:
        row = {"extractor": name, "modality": modality, "status": "failed" if ari is None else "done"}
        spread = None if ari is None else {"mean": ari}
        # Protocol A says the opposite.
        other = None if ari is None else {"mean": 1 - ari}
        return {"rows": [row | {"protocol": "A", "ari": other}, row | {"protocol": "B", "ari": spread}]}

    rows = {
        "tfidf": kept("tfidf", "text", 0.5),
        "word2vec": kept("word2vec", "text", 0.6),
        "fisher": kept("fisher", "image", 0.2),
        "sift": None,
        "vgg16": kept("vgg16", "image", None),
        "tfidf+vgg16": kept("tfidf+vgg16", "fused", None),
    }
    assert clustering_comparison.chosen(rows) == ["word2vec", "fisher"]
