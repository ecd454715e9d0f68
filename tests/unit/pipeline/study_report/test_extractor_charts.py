"""Maps: which listings are drawn, where, with which marks, and how categories share colours."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.study_report import StudyReport
from pipeline.study_report.category_groups import MAX_GROUPS, GroupedBy, group_categories, group_mark
from pipeline.study_report.extractor_charts import SIZE, evenly_sampled_rows, fit_square, place_labels
from pipeline.study_report.palette import COLOURS, GREY, GROUP_COLOURS, MODALITY_MARKS, Shape, css_colours
from pipeline.study_report.svg_charts import MarkTexts, css_class, mark_title, outline
from tests.unit.pipeline.study_report.report_samples import believable


def test_a_part_keeps_the_shares_of_categories() -> None:
    categories = np.repeat([0, 1, 2], [3000, 900, 2])
    drawn = evenly_sampled_rows(categories, 1300)
    assert len(drawn) <= 1301
    assert np.all(np.diff(drawn) > 0)
    assert np.bincount(categories[drawn]).tolist() == [999, 299, 1]
    assert evenly_sampled_rows(categories[:5], 10).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("points", [[[3.0, 4.0]], [[0, 0], [0, 0]], [[-5, 1], [5, 2], [0, 900]], []])
def test_points_lie_inside_the_map(points: list[list[float]]) -> None:
    fitted = fit_square(np.array(points, np.float64).reshape(-1, 2))
    assert np.all((fitted >= 0) & (fitted <= SIZE))


def test_up_to_twelve_groups_have_marks_of_their_own() -> None:
    grouping = group_categories([f"c{n}" for n in range(MAX_GROUPS)], [1] * MAX_GROUPS)
    assert len({(mark.colour, mark.shape) for mark in grouping.marks}) == MAX_GROUPS
    assert grouping.by is GroupedBy.CATEGORY
    shapes = list(Shape)
    assert all(group_mark(n).shape is shapes[n % len(shapes)] for n in range(len(GROUP_COLOURS)))


def test_more_categories_share_the_colour_of_the_deepest_parent_that_fits() -> None:
    categories = [f"A >> {parent} >> {n}" for parent in "xyz" for n in range(10)]
    grouping = group_categories(categories, [1] * 30)
    assert (grouping.by, grouping.names) == (GroupedBy.PARENT, ("A >> x", "A >> y", "A >> z"))
    assert grouping.group_of_category.tolist() == [0] * 10 + [1] * 10 + [2] * 10


def test_without_fitting_parents_the_largest_are_coloured_and_the_rest_is_grey() -> None:
    grouping = group_categories([f"c{n:02d}" for n in range(40)], list(range(40)))
    assert grouping.by is GroupedBy.SIZE
    assert grouping.names == (*(f"c{n}" for n in range(29, 40)), "")
    assert grouping.marks[-1].colour == GREY
    assert set(grouping.group_of_category[:29].tolist()) == {11}


def test_labels_do_not_lie_over_each_other() -> None:
    points = np.array([[500.0, 500], [505, 503], [100, 900], [990, 20]])
    names = ["first one", "second one", "third", "x >> " + "long " * 20]
    labels = place_labels(points, np.array([0, 1, 2, 3]), names)
    assert len(labels) == 3
    assert all(0 < label.x < SIZE for label in labels)


def test_titles_are_escaped_and_short() -> None:
    title = mark_title("<b>" + "x" * 200, "A >> B")
    assert title.startswith("&lt;b&gt;xxx")
    assert title.endswith("…\nA › B")


def test_marks_lead_to_listings_only_where_the_page_is_linked() -> None:
    report = StudyReport.from_json(believable(rows=30, extractors=("tfidf",)))
    assert set(MarkTexts.of(report, {}, linked=False).links) == {None}
    assert MarkTexts.of(report, {}, linked=True).links[3] == 1003


def test_every_mark_has_a_colour_by_day_and_by_night_and_its_shape() -> None:
    marks = [*MODALITY_MARKS.values(), *(group_mark(n) for n in range(MAX_GROUPS))]
    style = css_colours()
    for mark in marks:
        for shade in COLOURS[mark.colour]:
            assert f"--{mark.colour}: {shade};" in style
    assert len({mark.shape for mark in MODALITY_MARKS.values()}) == len(MODALITY_MARKS)
    assert len({outline(shape, 0, 0, 6) for shape in Shape}) == len(Shape)
    assert (css_class(group_mark(0)), css_class(group_mark(9))) == ("c0", "r1")
