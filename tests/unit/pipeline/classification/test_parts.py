import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from pipeline.classification import estimators
from pipeline.classification.calibration import fit_pool, held_out_probabilities, log_probabilities, softmax
from pipeline.classification.decision_policy import decide
from pipeline.classification.fusion import Fusion, fit_fusion, fuse
from pipeline.classification.metrics import calibration_error
from pipeline.classification.ridge_solvers import solve_by_conjugate_gradient
from pipeline.classification.targets import category_at_level, choose_level
from pipeline.classification.thresholds import LOWEST_THRESHOLD, NEVER, Thresholds, choose_thresholds, lower_bound
from pipeline.domain.prediction import DecisionStatus, Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode


@pytest.mark.parametrize(
    ("categories", "level"),
    [
        (["A >> B"] * 20 + ["A >> C"] * 20, 2),
        (["A >> B"] * 20 + ["A >> C"] * 10, 1),
        (["A >> B >> x"] * 40 + ["C >> D >> y"] * 40, 1),
        (["A"] * 30 + ["B >> C"] * 30 + ["B >> D"] * 30, 2),
        (["A >> B", "C"], 1),
    ],
)
def test_the_deepest_level_with_enough_listings(categories, level):
    assert choose_level(categories) == level


def test_a_category_is_cut_to_its_ancestor():
    assert category_at_level("A > B >> C", 2) == "A >> B"
    assert category_at_level("A", 3) == "A"


def blobs(count=150, kinds=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % kinds
    return (rng.normal(0, 1, (count, 8)) + 2 * np.eye(kinds, 8)[labels]).astype(np.float32), labels


@pytest.mark.parametrize("sparse", [False, True])
def test_the_dual_and_the_iterative_estimator_agree(monkeypatch, sparse):
    rows, labels = blobs()
    vectors = sp.csr_matrix(rows) if sparse else rows
    folds = np.arange(len(labels)) % 5
    dual = estimators.fit_ridge(vectors, labels, 3, folds)
    scores = dual.estimator.scores(vectors)
    assert (dual.held_out.argmax(1) == labels).mean() > 0.85
    monkeypatch.setattr(estimators, "DUAL_LIMIT", 10)
    told: list[float] = []
    other = estimators.fit_ridge(vectors, labels, 3, folds, progress=told.append)
    assert other.penalty == dual.penalty
    np.testing.assert_allclose(other.estimator.scores(vectors), scores, atol=0.01)
    np.testing.assert_allclose(other.held_out, dual.held_out, atol=0.03)
    assert len(told) == 6
    assert told == sorted(told)


def test_rows_that_do_not_teach_and_categories_without_listings_change_no_weights():
    rows, labels = blobs()
    taught = np.arange(len(rows)) % 3 > 0
    targets = np.where(labels[:, None] == np.arange(4), 1.0, -1.0).astype(np.float32)
    targets -= targets[taught].mean(0)
    found = solve_by_conjugate_gradient(sp.csr_matrix(rows), targets, 0.5, taught, 1e-6)
    reference = Ridge(alpha=0.5, fit_intercept=False).fit(rows[taught], targets[taught])
    np.testing.assert_allclose(found, reference.coef_.T, atol=1e-4)
    assert not found[:, 3].any()


def test_the_estimator_is_ridge_regression():
    rows, labels = blobs()
    fitted = estimators.fit_ridge(rows, labels, 3, np.arange(len(labels)) % 5)
    targets = np.where(labels[:, None] == np.arange(3), 1.0, -1.0)
    reference = Ridge(alpha=fitted.penalty, fit_intercept=False).fit(rows, targets - targets.mean(0))
    np.testing.assert_allclose(fitted.estimator.weights, reference.coef_.T, atol=1e-4)


def test_calibration_recovers_honest_probabilities():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 4))
    shares = np.cumsum(softmax(logits), axis=1)
    labels = np.minimum((shares < rng.uniform(size=(4000, 1))).sum(1), 3)
    probabilities = held_out_probabilities([(logits * 7).astype(np.float32)], labels, np.arange(4000) % 5)
    confidence, right = probabilities.max(1).astype(float), probabilities.argmax(1) == labels
    assert calibration_error(confidence, right) < 0.03
    raw = softmax(logits * 7)
    assert calibration_error(raw.max(1).astype(float), right) > 0.2


def test_separable_scores_give_no_infinite_confidence():
    labels = np.arange(40) % 2
    pool = fit_pool([np.where(labels[:, None] == np.arange(2), 1.0, -1.0).astype(np.float32)], labels)
    assert np.isfinite(pool.slopes).all()


def test_fusion_beats_its_parts_and_falls_back_to_the_one_there_is():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    text, image = (softmax(2 * np.eye(3)[labels] + rng.normal(0, 1.3, (600, 3))) for _ in range(2))
    everywhere = np.ones(600, bool)
    pool = fit_fusion(text, image, labels, everywhere)
    fused = fuse(pool, text, image, everywhere, everywhere)
    accuracy = [(each.argmax(1) == labels).mean() for each in (text, image, fused)]
    assert accuracy[2] > max(accuracy[:2]) + 0.03
    np.testing.assert_array_equal(fuse(pool, text, image, everywhere, ~everywhere), text)
    np.testing.assert_array_equal(fuse(pool, text, image, ~everywhere, everywhere), image)
    assert not fuse(pool, text, image, ~everywhere, ~everywhere).any()
    assert fit_fusion(text[:5], image[:5], labels[:5], everywhere[:5]) is None


def test_two_pools_are_averaged_and_one_of_an_earlier_program_answers_alone():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 900)
    text, image = (softmax(1.5 * np.eye(3)[labels] + rng.normal(0, 1, (900, 3))).astype(np.float32) for _ in range(2))
    everywhere = np.ones(900, bool)
    fusion = fit_fusion(text, image, labels, everywhere)
    assert 0 < fusion.share < 1
    multiplied = Fusion(fusion.product).probabilities(text, image)
    added = fusion.sum.probabilities([np.log((1 - fusion.share) * text + fusion.share * image)])
    fused = fuse(fusion, text, image, everywhere, everywhere)
    np.testing.assert_allclose(fused, (multiplied + added) / 2, atol=1e-6)
    assert not np.allclose(fused, multiplied, atol=1e-2)
    np.testing.assert_allclose(
        multiplied, fusion.product.probabilities([log_probabilities(text), log_probabilities(image)])
    )


def test_a_threshold_gives_the_wanted_precision_on_fresh_listings():
    rng = np.random.default_rng(0)

    def drawn(count):
        confidence = rng.uniform(0.4, 1.0, count)
        return rng.integers(0, 2, count), confidence, rng.uniform(size=count) < confidence

    chosen = choose_thresholds(["a", "b"], *drawn(3000))
    predicted, confidence, right = drawn(20_000)
    for index, name in enumerate(["a", "b"]):
        accepted = (predicted == index) & (confidence >= chosen.of(name))
        assert accepted.mean() > 0.03
        assert right[accepted].mean() >= 0.94


def test_a_hopeless_category_is_never_assigned_and_an_unknown_one_neither():
    right = np.repeat([True, False], 200)
    chosen = choose_thresholds(["good", "bad"], np.repeat([0, 1], 200), np.full(400, 0.9), right)
    assert chosen.of("bad") == NEVER
    assert chosen.of("unheard of") == NEVER


def test_a_handful_of_listings_proves_nothing():
    chosen = choose_thresholds(["a"], np.zeros(6, int), np.linspace(0.5, 1, 6), np.ones(6, bool))
    assert chosen.of("a") == NEVER


def test_the_lower_bound_is_wilsons():
    np.testing.assert_allclose(lower_bound(np.array([0.0, 90.0]), np.array([0.0, 100.0])), [0.0, 0.8547], atol=1e-3)


def prediction(probability):
    return Prediction(Modality.FUSED, (Ranked("A", probability), Ranked("B", 1 - probability)))


@pytest.mark.parametrize(
    ("probability", "threshold", "status", "reason"),
    [
        (0.9, 0.8, DecisionStatus.ASSIGNED, "90 % sure; this category needs 80 %"),
        (0.8, 0.8, DecisionStatus.ASSIGNED, "80 % sure"),
        (0.7, 0.8, DecisionStatus.NEEDS_REVIEW, "only 70 % sure; this category needs 80 %"),
        (0.99, NEVER, DecisionStatus.NEEDS_REVIEW, "not reliable enough"),
    ],
)
def test_a_decision_says_what_and_why(probability, threshold, status, reason):
    decision = decide(prediction(probability), Thresholds(0.95, {"A": threshold}))
    assert decision.status is status
    assert (decision.category, decision.confidence) == ("A", probability)
    assert reason in str(decision.reason)
    assert not decision.provisional


def test_nothing_to_judge_by_names_both_reasons():
    decision = decide(
        None,
        Thresholds(0.95, {}),
        text_problem=Reason(ReasonCode.NO_TEXT),
        photo_problem=Reason(ReasonCode.NO_PHOTO),
    )
    assert decision.status is DecisionStatus.ABSTAINED
    assert (decision.category, decision.confidence) == (None, None)
    assert str(decision.reason) == "nothing to judge by: no text; no photo"


def test_no_answer_that_is_often_wrong_is_assigned():
    confidence = np.linspace(0.05, 1, 500)
    chosen = choose_thresholds(["a"], np.zeros(500, int), confidence, np.ones(500, bool))
    assert chosen.of("a") == LOWEST_THRESHOLD, "however well the listings at hand went"
