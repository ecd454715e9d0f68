"""Levels beside each other: each map divided into as many groups as a level has categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.study.level_comparison import compare

PATHS = ["a >> a1", "a >> a2", "b >> b1", "b >> b2"]
CENTRES = np.array([[0, 0], [3, 0], [40, 0], [43, 0]])


def report(count: int = 25) -> tuple[list[str], dict[str, Any], list[dict[str, Any]]]:
    kinds = np.repeat(np.arange(4), count)
    points = CENTRES[kinds] + np.random.default_rng(0).normal(0, 0.2, (4 * count, 2))
    picture = {"seed": 0, "rows": list(range(4 * count)), "points": points.tolist()}
    trial = {"extractor": "tfidf", "modality": "text", "protocol": "B", "status": "done", "ari": {"mean": 0.5}}
    return [PATHS[kind] for kind in kinds], {"tfidf": picture}, [trial]


def test_a_map_that_shows_both_levels_agrees_with_both() -> None:
    paths, pictures, trials = report()
    rows = compare(paths, 1, pictures, trials)
    assert [(row["level"], row["categories"], row["enough"], row["studied"]) for row in rows] == [
        (1, 2, 1.0, True),
        (2, 4, 1.0, False),
    ]
    for row in rows:
        assert row["ari"] == {"text": pytest.approx(1.0), "image": None, "fused": None}


def test_small_categories_are_told_and_a_single_level_needs_no_table() -> None:
    paths, pictures, trials = report(15)
    assert [row["enough"] for row in compare(paths, 2, pictures, trials)] == [1.0, 0.0]
    assert compare([path[:1] for path in paths], 1, pictures, trials) == []
    assert compare([], 1, pictures, trials) == []


def test_a_level_that_divides_nothing_is_left_out_and_nothing_done_has_no_figures() -> None:
    paths, pictures, _ = report()
    deeper = [f"{path} >> all" for path in paths]
    rows = compare(deeper, 1, pictures, [])
    assert [row["level"] for row in rows] == [1, 2]
    assert rows[0]["ari"] == {"text": None, "image": None, "fused": None}
