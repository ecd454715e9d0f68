"""Believable rows of further ways to cluster, beside those of a report's trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

EXTRACTORS = ("tfidf", "fisher", "word2vec+fisher")
# method: how much better than k-means, clusters, noise
METHODS = {"kmeans": (0.0, 7.0, None), "spectral": (0.02, 7.0, None), "hdbscan": (-0.05, 12.4, 0.21)}


def clusterings(trials: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Three ways to cluster under both protocols, under A a part of the listings; there the last has failed."""
    found = []
    for trial in trials:
        if trial["extractor"] not in EXTRACTORS or not trial["ari"]:
            continue
        for method, (more, clusters, noise) in METHODS.items():
            row = {name: trial[name] for name in ("extractor", "modality", "protocol", "n")} | {"method": method}
            row |= {"ari": {part: value + more for part, value in trial["ari"].items()} | {"std": 0.02}}
            row |= {"clusters": clusters, "noise": noise, "seconds": 1.5}
            row |= {"of": trial["n"] + (9_000 if trial["protocol"] == "A" else 0)}
            row |= {"status": "done", "reason": None}
            if (method, trial["protocol"]) == ("hdbscan", "A"):
                row |= dict.fromkeys(("ari", "clusters", "noise", "n", "seconds"))
                row |= {"status": "failed", "reason": "ValueError: it cannot be"}
            found.append(row)
    return found
