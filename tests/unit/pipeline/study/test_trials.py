import json

import numpy as np
import pytest

from pipeline.domain.errors import InvalidInput
from pipeline.domain.prediction import Modality
from pipeline.domain.study import StudyPlan, TrialStatus
from pipeline.study import combination, trials
from pipeline.study.features import Features
from pipeline.study.verdict import Bars, judge

PLAN = StudyPlan(seeds=(0, 1, 2), perplexity=10.0)
LABELS = np.repeat(np.arange(3), 20)


def found(name="word2vec", modality=Modality.TEXT, spread=0.2, seed=0, missing=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 40))
    matrix = (centres[LABELS] + spread * rng.normal(size=(60, 40))).astype(np.float32)
    has = np.arange(60) >= missing
    matrix[~has] = 0
    return Features(name, modality, matrix, has, 1.5, 1_000, 0)


def silent(share, note):
    assert 0 <= share <= 1
    assert note


def test_what_lies_apart_is_found_by_both_protocols():
    result = trials.run(found(missing=2), LABELS, 3, PLAN, silent)
    for row, protocol in zip(result.rows, "AB", strict=True):
        assert (row["protocol"], row["status"], row["n"], row["reason"]) == (protocol, "done", 58, None)
        assert row["ari"]["mean"] > 0.95
        assert row["ari"]["low"] <= row["ari"]["mean"] <= row["ari"]["high"]
        assert row["accuracy"] > 0.95
        assert row["seconds"] > 1.5
    picture = result.picture
    assert len(picture["rows"]) == len(picture["points"]) == len(picture["clusters"]) == 58
    assert picture["rows"][0] == 2
    assert picture["seed"] in PLAN.seeds
    assert np.array(result.matrix["matrix"]).sum() == 58
    assert min(result.matrix["recall"]) > 0.9
    json.dumps([result.rows, picture, result.matrix], allow_nan=False)


def test_noise_agrees_to_nothing_and_the_same_seed_repeats():
    noise = found(spread=50.0)
    first, second = (trials.run(noise, LABELS, 3, PLAN, silent) for _ in range(2))
    assert abs(first.rows[1]["ari"]["mean"]) < 0.15
    for a, b in zip(first.rows, second.rows, strict=True):
        assert {k: v for k, v in a.items() if k not in ("seconds", "memory")} == {
            k: v for k, v in b.items() if k not in ("seconds", "memory")
        }
    assert first.picture == second.picture


def test_a_plane_of_very_many_listings_shows_an_even_part(monkeypatch):
    monkeypatch.setattr(trials.reduction, "PLANE_LIMIT", 30)
    result = trials.run(found(), LABELS, 3, PLAN, silent)
    assert [row["n"] for row in result.rows] == [60, 30]
    assert np.bincount(LABELS[result.picture["rows"]]).tolist() == [10, 10, 10]


def test_too_few_listings_are_told():
    with pytest.raises(InvalidInput, match="only 5 listings have a usable photo"):
        trials.run(found(modality=Modality.IMAGE, missing=55), LABELS, 3, PLAN, silent)


def test_text_and_photo_together_see_what_neither_sees_alone():
    halves = [np.where(at == LABELS, 0, 1) for at in (0, 2)]
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(2, 40))
    text, image = (
        Features(
            name,
            modality,
            (centres[half] + 0.3 * rng.normal(size=(60, 40))).astype(np.float32),
            np.ones(60, bool),
            1.0,
            0,
            0,
        )
        for name, modality, half in (("tfidf", Modality.TEXT, halves[0]), ("fisher", Modality.IMAGE, halves[1]))
    )
    both = combination.combine(text, image)
    assert (both.extractor, both.modality) == ("tfidf+fisher", Modality.FUSED)
    alone = [trials.run(each, LABELS, 3, PLAN, silent).rows[0]["ari"]["mean"] for each in (text, image)]
    assert trials.run(both, LABELS, 3, PLAN, silent).rows[0]["ari"]["mean"] > max(alone)


def test_a_listing_with_one_kind_of_evidence_is_kept():
    both = combination.combine(found(missing=3), found("fisher", Modality.IMAGE, seed=1, missing=2))
    assert both.has.tolist() == [False] * 2 + [True] * 58
    assert not both.matrix[:2].any()
    assert np.isfinite(both.matrix).all()


def test_pairs_are_chosen_by_name_not_by_result():
    names = [
        ("bag_of_words", Modality.TEXT),
        ("word2vec", Modality.TEXT),
        ("sift", Modality.IMAGE),
        ("fisher", Modality.IMAGE),
    ]
    chosen = combination.pairs([found(name, modality) for name, modality in names])
    assert [(a.extractor, b.extractor) for a, b in chosen] == [("word2vec", "fisher"), ("bag_of_words", "fisher")]
    assert combination.pairs([found()]) == []
    assert combination.pairs([found(missing=40), found("fisher", Modality.IMAGE, missing=55)]) == []


def row(extractor, modality, ari, status="done"):
    spread = {"mean": ari, "std": 0, "low": ari, "high": ari} if status == "done" else None
    return {
        "extractor": extractor,
        "modality": modality,
        "protocol": "B",
        "status": status,
        "ari": spread,
        "accuracy": 0.7,
    }


def trained(accuracy):
    return {"extractor": "tfidf", "modality": "text", "status": "done", "accuracy": {"mean": accuracy}}


@pytest.mark.parametrize(
    ("rows", "supervised", "verdict"),
    [
        ([row("tfidf", "text", 0.6)], [], "feasible"),
        ([row("tfidf", "text", 0.3)], [], "promising"),
        ([row("sift", "image", 0.1)], [], "not_feasible"),
        ([row("sift", "image", 0.1)], [trained(0.9)], "feasible"),
        ([row("tfidf", "text", 0.6)], [trained(0.6)], "promising"),
        ([row("tfidf", "text", 0.1)], [trained(0.5)], "not_feasible"),
        ([row("tfidf", "text", 0.0, status="failed")], [], "not_feasible"),
    ],
)
def test_the_verdict_follows_the_bars(rows, supervised, verdict):
    assert judge(rows, supervised)[0] == verdict


def test_findings_name_the_best_of_each_modality():
    _, findings = judge(
        [row("tfidf", "text", 0.5), row("word2vec", "text", 0.6), row("sift", "image", 0.2)], [trained(0.9)]
    )
    named = {each["code"]: each for each in findings}
    assert named["best_text"]["extractor"] == "word2vec"
    assert named["best_image"]["ari"] == 0.2
    assert named["supervised"]["accuracy"] == 0.9
    assert named["threshold"]["ari_feasible"] == Bars().ari_feasible
    assert "best_fused" not in named


def test_an_extractor_that_could_not_be_tried_has_rows_with_the_reason():
    rows = trials.unavailable("vgg16", Modality.IMAGE, TrialStatus.UNAVAILABLE, "no weights")
    assert [(each["protocol"], each["status"], each["reason"], each["ari"]) for each in rows] == [
        ("A", "unavailable", "no weights", None),
        ("B", "unavailable", "no weights", None),
    ]
