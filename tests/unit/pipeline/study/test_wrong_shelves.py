from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from infra.sample.generator import generate
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.prediction import Modality
from pipeline.study import label_issues
from pipeline.study.build_report import attribution
from pipeline.study.dataset import StudyDataset
from pipeline.study.features import Features
from pipeline.study.study_steps import SupervisedResult
from pipeline.study.supervised import score


def planted(categories, seed):
    """The categories with one in twenty wrong, and which those are."""
    rng = np.random.default_rng(seed)
    kinds = sorted(set(categories))
    given = list(categories)
    wrong = rng.permutation(len(given))[: round(0.05 * len(given))]
    for row in wrong:
        given[row] = rng.choice([kind for kind in kinds if kind != given[row]])
    return given, wrong


def found_in_the_first_tenth(texts, categories, seed):
    given, wrong = planted(categories, seed)
    examples = [
        Example(str(row), text, category) for row, (text, category) in enumerate(zip(texts, given, strict=True))
    ]
    probabilities = score(examples, text_extractor="tfidf", level=1, repeats=1).probabilities
    kinds = sorted(set(given))
    labels = np.array([kinds.index(category) for category in given])
    suspicion = label_issues.suspect(probabilities, labels)
    assert sorted(suspicion.order) == list(range(len(given)))
    return np.isin(wrong, suspicion.order[: len(given) // 10]).mean()


@pytest.mark.parametrize("seed", range(3))
def test_planted_wrong_labels_stand_in_the_first_tenth_of_the_list(seed):
    listings = list(generate(240, seed=seed))
    texts = [Evidence(listing.name, listing.description, listing.attributes) for listing in listings]
    categories = [listing.category.split(" >> ")[0] for listing in listings]
    assert found_in_the_first_tenth(texts, categories, seed) >= 0.8


@pytest.mark.shared
def test_planted_wrong_labels_of_real_listings_stand_in_the_first_tenth(shared_data):
    from workers.commands.evaluate import read_labelled_rows

    examples = [
        row.example for row in read_labelled_rows(shared_data / "flipkart" / "listings.csv", None, lambda *_: None)
    ]
    texts = [example.evidence for example in examples]
    categories = [example.category.split(" >> ")[0] for example in examples]
    assert found_in_the_first_tenth(texts, categories, seed=0) >= 0.8


def sure(labels, kinds=3, certainty=0.8):
    probabilities = np.full((len(labels), kinds), (1 - certainty) / (kinds - 1), np.float32)
    probabilities[np.arange(len(labels)), labels] = certainty
    return probabilities


def test_who_counts_as_another_category_is_wrong_and_the_joint_says_how_many():
    truth = np.arange(60) % 3
    labels = truth.copy()
    labels[[4, 7]] = [2, 0]
    found = label_issues.suspect(sure(truth), labels)
    assert set(np.flatnonzero(found.wrong)) == {4, 7}
    assert set(found.order[:2]) == {4, 7}
    assert list(found.proposed[[4, 7]]) == [1, 1]
    np.testing.assert_allclose(found.joint.sum(axis=1), np.bincount(labels))
    assert found.joint.sum() - np.trace(found.joint) == pytest.approx(2)


def test_a_listing_that_nobody_judged_is_not_suspected():
    labels = np.arange(12) % 3
    probabilities = sure(labels)
    probabilities[5] = 0
    found = label_issues.suspect(probabilities, labels)
    assert 5 not in found.order
    assert not found.wrong.any()


def features(matrix, has, modality=Modality.TEXT, name="tfidf"):
    return Features(name, modality, matrix, np.array(has), 0.0, 0, 0)


def judged(probabilities, modality="text", accuracy=0.9):
    return SupervisedResult([{"modality": modality, "accuracy": {"mean": accuracy}}], probabilities=probabilities)


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_name_the_proposal_and_the_nearest_neighbours(sparse):
    truth = np.arange(12) % 2
    labels = truth.copy()
    labels[3] = 0
    dense = np.eye(2, dtype=np.float32)[truth] + 0.01 * np.arange(12, dtype=np.float32)[:, None] / 12
    matrix = sp.csr_matrix(dense) if sparse else dense
    jobs = {"a": judged(sure(truth, 2)), "b": judged(sure(labels, 2), accuracy=0.5)}
    (row,) = label_issues.find(jobs, labels, ["A", "B"], {"tfidf": features(matrix, [True] * 12)}, lambda *_: None)
    assert (row["row"], row["given"], row["proposed"]) == (3, "A", "B")
    assert row["confidence"] == pytest.approx(0.8)
    assert row["score"] == pytest.approx(0.8)
    assert len(row["neighbours"]) == 5
    assert all(near["row"] != 3 and near["category"] == "B" for near in row["neighbours"])
    similarities = [near["similarity"] for near in row["neighbours"]]
    assert similarities == sorted(similarities, reverse=True)


def test_fused_probabilities_are_preferred_and_without_any_nothing_is_listed():
    labels = np.arange(12) % 2
    fused = sure(labels, 2)
    fused[0] = fused[0, ::-1]
    jobs = {"text": judged(sure(labels, 2), accuracy=0.99), "both": judged(fused, "fused")}
    assert [row["row"] for row in label_issues.find(jobs, labels, ["A", "B"], {}, lambda *_: None)] == [0]
    none = {"failed": SupervisedResult([{"modality": "text", "accuracy": None}])}
    assert label_issues.find(none, labels, ["A", "B"], {}, lambda *_: None) == []


def test_neighbours_are_alike_in_what_both_have():
    text = features(np.array([[1, 0], [1, 0], [0, 0], [0, 1]], np.float32), [True, True, False, True])
    image = features(np.array([[1, 0], [0, 1], [1, 0], [1, 0]], np.float32), [True] * 4, Modality.IMAGE, "fisher")
    near = label_issues.neighbours([0], [text, image])[0]
    assert near[0] == (2, pytest.approx(1.0))
    assert {row for row, _ in near[1:]} == {1, 3}


def test_a_shelf_is_due_to_the_sources_of_its_listing_and_neighbours():
    shelf = {"row": 1, "neighbours": [{"row": 0}, {"row": 2}, {"row": 3}]}
    assert attribution(shelf, ["by A", "by B", None, "by A"]) == "by B by A"
    assert attribution(shelf, [None] * 4) is None
    assert attribution(shelf, ()) is None


def test_a_row_of_the_report_points_at_whom_it_is_due_to() -> None:
    studied = StudyDataset(
        level=1,
        categories=("Teas",),
        labels=np.zeros(3, np.int64),
        fingerprint="f",
        listings=3,
        keys=("a", "b", "c"),
        listing_ids=(1, 2, 3),
        texts=[Evidence("tea")] * 3,
        photos=[Evidence("tea")] * 3,
        attributions=("by B", None, "by A"),
    )
    assert studied.due_to() == ["by B", "by A"]
    assert [row["attribution"] for row in studied.rows()] == [0, None, 1]
    nobody = replace(studied, attributions=())
    assert nobody.due_to() == []
    assert [row["attribution"] for row in nobody.rows()] == [None] * 3
