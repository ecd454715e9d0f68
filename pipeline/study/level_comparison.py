"""The levels of the taxonomy beside each other: how many categories each has, and how well the maps agree with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.classification.targets import LEVEL_CATEGORY_SIZE, category_at_level
from pipeline.clustering.agreement import adjusted_rand, contingency
from pipeline.clustering.kmeans import clusters
from pipeline.domain.category import Category
from pipeline.domain.prediction import Modality
from pipeline.domain.study import TrialStatus
from pipeline.study.sampling import LEAST_EACH

Row = dict[str, Any]
MOST_KINDS = 200  # more clusters on one map take minutes and say little


def compare(paths: Sequence[str], level: int, pictures: Mapping[str, Row], trials: Sequence[Row]) -> list[Row]:
    """Rows of the report's ``levels``, from the top; empty where the taxonomy has but one, or ``paths`` are not known.

    ``paths`` are the full categories of the studied listings. ``enough`` is the share of listings whose category has at
    least ENOUGH of them; ``ari``, by modality, that of the map shown of its best extractor, divided into as many
    clusters as the level has categories. Only the studied ``level`` was repeated over seeds: its trials tell more.
    """
    depth = max((Category.parse(path).level for path in paths), default=0)
    best = {modality: _best(trials, modality, pictures) for modality in Modality}
    found: list[Row] = []
    for at in range(1, depth + 1):
        names = [category_at_level(path, at) for path in paths]
        counts = Counter(names)
        if found and at != level and len(counts) == found[-1]["categories"]:
            continue  # divides nothing any further
        found.append(
            {
                "level": at,
                "categories": len(counts),
                "enough": sum(count for count in counts.values() if count >= LEVEL_CATEGORY_SIZE) / len(names),
                "studied": at == level,
                "ari": {
                    modality.value: None if picture is None else _agreement(names, picture)
                    for modality, picture in best.items()
                },
            }
        )
    return found if len(found) > 1 else []


def _best(trials: Sequence[Row], modality: Modality, pictures: Mapping[str, Row]) -> Row | None:
    mine = [
        row
        for row in trials
        if (row["modality"], row["protocol"], row["status"]) == (modality, "B", TrialStatus.DONE)
        and row["extractor"] in pictures
    ]
    return pictures[max(mine, key=lambda row: float(row["ari"]["mean"]))["extractor"]] if mine else None


def _agreement(names: Sequence[str], picture: Row) -> float | None:
    """The adjusted Rand index of one clustering of a map, or None where a level has nothing, or too much, to find."""
    counts = Counter(names[row] for row in picture["rows"])
    kinds = sorted(name for name, count in counts.items() if count >= LEAST_EACH)
    if not 1 < len(kinds) <= MOST_KINDS:
        return None
    index = {name: at for at, name in enumerate(kinds)}
    kept = [at for at, row in enumerate(picture["rows"]) if names[row] in index]
    truth = np.array([index[names[picture["rows"][at]]] for at in kept], np.int64)
    points = np.asarray(picture["points"], np.float32)[kept]
    return float(adjusted_rand(contingency(truth, clusters(points, len(kinds), picture["seed"]))))
