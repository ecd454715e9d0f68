"""Label issues: planted errors come first, with the nearest listings as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from infra.sample.generator import generate
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import no_progress
from pipeline.domain.study import Spread
from pipeline.domain.study_report import LabelIssue
from pipeline.features.extractor import Matrix
from pipeline.study.dataset import StudyDataset
from pipeline.study.features import Features
from pipeline.study.label_issues import find_label_issues, find_neighbours, suspect_labels
from pipeline.study.study_steps import SupervisedResult
from pipeline.study.supervised_scores import SupervisedSetup, score_supervised
from tests.unit.pipeline.study.fake_steps import trained_figures

Probabilities = NDArray[np.float32]


def share_in_the_first_tenth(texts: Sequence[Evidence], categories: Sequence[str], seed: int) -> float:
    """How many of planted errors, one in twenty listings, are among the first tenth of the suspicious ones."""
    rng = np.random.default_rng(seed)
    names, given = sorted(set(categories)), list(categories)
    wrong = rng.permutation(len(given))[: round(0.05 * len(given))]
    for row in wrong:
        given[row] = str(rng.choice([name for name in names if name != given[row]]))
    examples = [
        Example(str(row), text, category) for row, (text, category) in enumerate(zip(texts, given, strict=True))
    ]
    setup = SupervisedSetup(level=1, text_extractor="tfidf", repeats=1)
    labels = np.array([sorted(set(given)).index(category) for category in given])
    suspicion = suspect_labels(score_supervised(examples, setup).probabilities, labels)
    assert sorted(suspicion.order) == list(range(len(given)))
    return float(np.isin(wrong, suspicion.order[: len(given) // 10]).mean())


@pytest.mark.parametrize("seed", range(3))
def test_planted_errors_are_in_the_first_tenth_of_the_list(seed: int) -> None:
    listings = list(generate(240, seed=seed))
    texts = [Evidence(listing.name, listing.description, listing.attributes) for listing in listings]
    categories = [listing.category.split(" >> ")[0] for listing in listings]
    assert share_in_the_first_tenth(texts, categories, seed) >= 0.8


@pytest.mark.shared
def test_planted_errors_in_real_listings_are_in_the_first_tenth(shared_data: Path) -> None:
    from workers.commands.evaluate import read_labelled_rows

    rows = read_labelled_rows(shared_data / "flipkart" / "listings.csv", None, no_progress)
    examples = [row.example for row in rows]
    texts = [example.evidence for example in examples]
    categories = [example.category.split(" >> ")[0] for example in examples]
    assert share_in_the_first_tenth(texts, categories, seed=0) >= 0.8


def confident(labels: NDArray[np.int64], n_categories: int = 3, certainty: float = 0.8) -> Probabilities:
    """Probabilities that are this certain of some labels."""
    probabilities = np.full((len(labels), n_categories), (1 - certainty) / (n_categories - 1), np.float32)
    probabilities[np.arange(len(labels)), labels] = certainty
    return probabilities


def test_a_listing_that_counts_as_another_category_is_wrong_and_the_joint_says_how_many() -> None:
    truth = np.arange(60) % 3
    labels = truth.copy()
    labels[[4, 7]] = [2, 0]
    suspicion = suspect_labels(confident(truth), labels)
    assert set(np.flatnonzero(suspicion.wrong)) == {4, 7}
    assert set(suspicion.order[:2]) == {4, 7}
    assert list(suspicion.proposed[[4, 7]]) == [1, 1]
    np.testing.assert_allclose(suspicion.joint.sum(axis=1), np.bincount(labels))
    assert suspicion.joint.sum() - np.trace(suspicion.joint) == pytest.approx(2)


def test_a_listing_that_was_not_judged_is_not_suspected() -> None:
    labels = np.arange(12) % 3
    probabilities = confident(labels)
    probabilities[5] = 0
    suspicion = suspect_labels(probabilities, labels)
    assert 5 not in suspicion.order
    assert not suspicion.wrong.any()


def features(matrix: Matrix, present: list[bool], modality: Modality = Modality.TEXT, name: str = "tfidf") -> Features:
    return Features(name, modality, matrix, np.array(present), 0.0, 0, 0)


def result(
    probabilities: Probabilities | None, modality: Modality = Modality.TEXT, accuracy: float | None = 0.9
) -> SupervisedResult:
    figures = trained_figures("tfidf", None if accuracy is None else Spread.of([accuracy]))
    # Only modality and accuracy matter here.
    return SupervisedResult((type(figures).from_json(figures.as_json() | {"modality": modality}),), (), probabilities)


def find(
    supervised: list[SupervisedResult],
    labels: NDArray[np.int64],
    given: dict[str, Features] | None = None,
    attributions: Sequence[str | None] = (),
) -> tuple[LabelIssue, ...]:
    count, texts = len(labels), [Evidence("thing")] * len(labels)
    keys = [str(row) for row in range(count)]
    dataset = StudyDataset(
        1, ("A", "B"), labels, "", count, keys, [None] * count, texts, texts, attributions=attributions
    )
    return find_label_issues(supervised, dataset, given or {}, no_progress)


@pytest.mark.parametrize("sparse", [pytest.param(False, id="dense"), pytest.param(True, id="sparse")])
def test_an_issue_names_the_proposal_and_the_nearest_neighbours(*, sparse: bool) -> None:
    truth = np.arange(12) % 2
    labels = truth.copy()
    labels[3] = 0
    dense = np.eye(2, dtype=np.float32)[truth] + 0.01 * np.arange(12, dtype=np.float32)[:, None] / 12
    matrix = sp.csr_matrix(dense) if sparse else dense
    supervised = [result(confident(truth, 2)), result(confident(labels, 2), accuracy=0.5)]
    (issue,) = find(supervised, labels, {"tfidf": features(matrix, [True] * 12)})
    assert (issue.row, issue.given, issue.proposed) == (3, "A", "B")
    assert issue.confidence == pytest.approx(0.8)
    assert issue.score == pytest.approx(0.8)
    assert len(issue.neighbours) == 5
    assert all(near.row != 3 and near.category == "B" for near in issue.neighbours)
    similarities = [near.similarity for near in issue.neighbours]
    assert similarities == sorted(similarities, reverse=True)


def test_an_issue_carries_the_attributions_of_its_listing_and_neighbours() -> None:
    truth = np.array([0, 1] * 6)
    labels = truth.copy()
    labels[1] = 0
    matrix = np.eye(2, dtype=np.float32)[truth]
    attributions = [None, "by B", None, "by A", *[None] * 8]
    (issue,) = find([result(confident(truth, 2))], labels, {"tfidf": features(matrix, [True] * 12)}, attributions)
    assert issue.attribution == "by B by A"
    (plain,) = find([result(confident(truth, 2))], labels, {"tfidf": features(matrix, [True] * 12)})
    assert plain.attribution is None


def test_fused_probabilities_are_preferred_and_without_any_there_are_no_issues() -> None:
    labels = np.arange(12) % 2
    fused = confident(labels, 2)
    fused[0] = fused[0, ::-1]
    supervised = [result(confident(labels, 2), accuracy=0.99), result(fused, Modality.FUSED)]
    assert [issue.row for issue in find(supervised, labels)] == [0]
    assert find([result(None, accuracy=None)], labels) == ()


def test_neighbours_are_alike_in_what_both_have() -> None:
    text = features(np.array([[1, 0], [1, 0], [0, 0], [0, 1]], np.float32), [True, True, False, True])
    image = features(np.array([[1, 0], [0, 1], [1, 0], [1, 0]], np.float32), [True] * 4, Modality.IMAGE, "fisher")
    near = find_neighbours([0], [text, image])[0]
    nearest, *further = near
    assert nearest == 2
    assert near[nearest] == pytest.approx(1.0)
    assert set(further) == {1, 3}
