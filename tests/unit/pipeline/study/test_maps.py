"""Maps: who is drawn, where, how marked, and how categories share colours."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.study_report import svg_maps
from pipeline.study_report.palette import COLOURS, MOST, SHAPES, group, mark


def test_a_part_keeps_the_shares_of_categories() -> None:
    categories = np.repeat([0, 1, 2], [3000, 900, 2])
    drawn = svg_maps.draw_evenly(categories, 1300)
    assert len(drawn) <= 1301
    assert np.all(np.diff(drawn) > 0)
    assert np.bincount(categories[drawn]).tolist() == [999, 299, 1]
    assert svg_maps.draw_evenly(categories[:5], 10).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("points", [[[3.0, 4.0]], [[0, 0], [0, 0]], [[-5, 1], [5, 2], [0, 900]], []])
def test_points_lie_inside_the_map(points: list[list[float]]) -> None:
    rows = list(range(len(points)))
    placed = svg_maps.place({"rows": rows, "points": points, "clusters": rows}, np.arange(10))
    assert np.all((placed.points >= 0) & (placed.points <= svg_maps.SIZE))


def test_up_to_twelve_groups_have_marks_of_their_own() -> None:
    grouping = group([f"c{i}" for i in range(MOST)], [1] * MOST)
    assert len({(m.colour, m.shape, m.hollow) for m in grouping.marks}) == MOST
    assert len({(m.colour, m.shape) for m in grouping.marks}) == MOST
    assert grouping.by == "category"
    assert all(mark(i).shape == i % len(SHAPES) for i in range(len(COLOURS)))


def test_above_that_parents_share_a_colour_at_the_deepest_level_that_fits() -> None:
    categories = [f"A >> {p} >> {i}" for p in "xyz" for i in range(10)]
    grouping = group(categories, [1] * 30)
    assert (grouping.by, grouping.names) == ("parent", ("A >> x", "A >> y", "A >> z"))
    assert grouping.of.tolist() == [0] * 10 + [1] * 10 + [2] * 10


def test_without_fitting_parents_the_largest_are_coloured_and_the_rest_is_grey() -> None:
    grouping = group([f"c{i:02d}" for i in range(40)], list(range(40)))
    assert grouping.by == "size"
    assert grouping.names == (*(f"c{i}" for i in range(29, 40)), "")
    assert grouping.marks[-1].colour is None
    assert set(grouping.of[:29].tolist()) == {11}


def test_labels_do_not_lie_over_each_other() -> None:
    placed = svg_maps.Placed(
        np.arange(4), np.array([[500.0, 500], [505, 503], [100, 900], [990, 20]]), np.zeros(4, int)
    )
    found = svg_maps.labels(
        placed, np.array([0, 1, 2, 3]), ["first one", "second one", "third", "x >> " + "long " * 20]
    )
    assert len(found) == 3
    assert all(0 < label["x"] < svg_maps.SIZE for label in found)


def test_titles_are_escaped_and_short() -> None:
    said = svg_maps.title("<b>" + "x" * 200, "A >> B")
    assert said.startswith("&lt;b&gt;xxx")
    assert said.endswith("…\nA › B")
