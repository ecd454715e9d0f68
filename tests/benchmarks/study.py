"""A study of 1,000 listings beside its calls of scikit-learn alone, and how time and memory grow with the catalogue."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest import mock

import numpy as np

from infra.sample.generator import generate
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import no_progress
from pipeline.domain.study import StudyPlan

FREE = ("bag_of_words", "tfidf", "word2vec", "sift", "fisher")
LISTINGS = 1_000
SIZES = (1_000, 10_000, 100_000)
KINDS = 20
METHODS = {
    "sklearn.decomposition.PCA": ("fit_transform",),
    "sklearn.manifold.TSNE": ("fit_transform",),
    "sklearn.cluster.KMeans": ("fit_predict",),
    "sklearn.cluster.MiniBatchKMeans": ("fit", "fit_predict", "predict"),
}
FUNCTIONS = (
    "sklearn.metrics.silhouette_score",
    "sklearn.metrics.adjusted_mutual_info_score",
    "sklearn.metrics.v_measure_score",
    "sklearn.preprocessing.normalize",
)


def study() -> dict[str, Any]:
    """Seconds of the trials of every extractor without a network, combination included, with the default ten seeds.

    The reference is the time of the outermost calls of scikit-learn in the same run. Supervised figures are left out:
    they are no part of the clustering, and optional in a plan.
    """
    from pipeline.study.feature_combination import choose_combinations, combine_features
    from pipeline.study.features import NoFeatureStore, compute_features
    from pipeline.study.sampling import draw_sample
    from pipeline.study.trials import run_trials

    listings = list(generate(LISTINGS))
    evidences = [Evidence(each.name, each.description, each.attributes, each.jpeg()) for each in listings]
    plan = StudyPlan()
    drawn = draw_sample([each.category for each in listings], plan)
    chosen = [evidences[index] for index in drawn.indices]
    count = len(drawn.categories)
    with timed() as spent:
        begun = time.perf_counter()
        features = [compute_features(name, chosen, NoFeatureStore(), None, no_progress) for name in FREE]
        for each in features:
            run_trials(each, drawn.labels, count, plan, no_progress)
        for pair in choose_combinations(features):
            run_trials(combine_features(pair), drawn.labels, count, plan, no_progress)
        total = time.perf_counter() - begun
    return {
        "listings": len(chosen),
        "extractors": list(FREE),
        "seeds": len(plan.seeds),
        "seconds": round(total, 1),
        "scikit_learn_seconds": round(spent[0], 1),
        "ratio": round(total / spent[0], 3),
        "feature_seconds": {each.extractor: round(each.seconds, 1) for each in features},
    }


def scale() -> dict[str, Any]:
    """Seconds and peak memory of a study of texts by size, each in a process of its own, one seed."""
    rows = []
    for size in SIZES:
        command = [sys.executable, "-m", "tests.benchmarks.study", str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout))
    return {"sizes": rows}


def of_size(count: int) -> dict[str, Any]:
    """Texts of ``count`` listings by Word2Vec and TF-IDF, and ready features of 256 numbers, under both protocols."""
    from pipeline.domain.prediction import Modality
    from pipeline.study.features import Features, NoFeatureStore, compute_features
    from pipeline.study.sampling import draw_sample
    from pipeline.study.trials import run_trials

    labels, texts = written(count)
    plan = StudyPlan(seeds=(0,))
    begun = time.perf_counter()
    drawn = draw_sample([f"kind {label}" for label in labels], plan)
    found: dict[str, float] = {}
    rng = np.random.default_rng(1)
    ready = rng.normal(size=(KINDS, 256))[drawn.labels] + rng.normal(size=(count, 256))
    given = Features("ready", Modality.TEXT, ready.astype(np.float32), np.ones(count, bool), 0.0, 0, 0)
    for name in ("tfidf", "word2vec", "ready"):
        described = given if name == "ready" else compute_features(name, texts, NoFeatureStore(), None, no_progress)
        clustered = run_trials(described, drawn.labels, len(drawn.categories), plan, no_progress)
        found |= {f"{name} {trial.protocol}": round(trial.mean_ari, 3) for trial in clustered.result.trials}
    return {
        "listings": count,
        "seconds": round(time.perf_counter() - begun, 1),
        "cpu_seconds": round(time.process_time(), 1),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "ari": found,
    }


def written(count: int) -> tuple[np.ndarray, list[Evidence]]:
    """Labels and texts: each kind has 40 words of its own beside 2,000 that all share."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, KINDS, count)
    common = [f"w{''.join(chr(97 + int(d)) for d in f'{at:04d}')}" for at in range(2_000)]
    own = [
        [f"k{chr(97 + kind)}{''.join(chr(97 + int(d)) for d in f'{at:02d}')}" for at in range(40)]
        for kind in range(KINDS)
    ]
    texts = []
    for label in labels:
        name = [own[label][at] for at in rng.integers(0, 40, 3)]
        body = [common[at] for at in rng.integers(0, 2_000, 20)] + [own[label][at] for at in rng.integers(0, 40, 4)]
        texts.append(Evidence(" ".join(name), " ".join(body)))
    return labels, texts


@contextmanager
def timed() -> Iterator[list[float]]:
    """Add up the seconds of the outermost calls of scikit-learn during the block."""
    spent, inside = [0.0], [False]

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def timing(*arguments: Any, **named: Any) -> Any:
            if inside[0]:
                return call(*arguments, **named)
            inside[0], begun = True, time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                spent[0] += time.perf_counter() - begun
                inside[0] = False

        return timing

    from importlib import import_module

    patches = []
    for path, names in METHODS.items():
        module, _, kind = path.rpartition(".")
        owner = getattr(import_module(module), kind)
        patches += [mock.patch.object(owner, name, watched(getattr(owner, name))) for name in names]
    for path in FUNCTIONS:
        module, _, name = path.rpartition(".")
        patches.append(mock.patch(path, watched(getattr(import_module(module), name))))
    for patch in patches:
        patch.start()
    try:
        yield spent
    finally:
        for patch in patches:
            patch.stop()


if __name__ == "__main__":
    print(json.dumps(of_size(int(sys.argv[1]))))
