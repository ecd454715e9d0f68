"""The order of the stages, plans as JSON, names of files."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from pipeline.domain.study import (
    OPTIONAL_METHODS,
    STAGE_SHARES,
    Spread,
    Stage,
    StageJobs,
    StudyPlan,
    file_type,
    next_stage,
    study_key,
)

AGENDA = {"trial": ["tfidf", "fisher"], "supervised": ["text"]}


def test_stages_follow_each_other_to_the_end() -> None:
    assert next_stage(Stage.SAMPLE, AGENDA) == StageJobs(Stage.TRIAL, ["tfidf", "fisher"])
    assert next_stage(Stage.TRIAL, AGENDA) == StageJobs(Stage.COMBINE, [None])
    assert next_stage(Stage.COMBINE, AGENDA) == StageJobs(Stage.SUPERVISED, ["text"])
    assert next_stage(Stage.SUPERVISED, AGENDA) == StageJobs(Stage.CONCLUDE, [None])
    assert next_stage(Stage.CONCLUDE, AGENDA) is None


def test_a_stage_without_jobs_is_skipped() -> None:
    compared = AGENDA | {"compare": ["tfidf"]}
    assert next_stage(Stage.COMBINE, compared) == StageJobs(Stage.COMPARE, ["tfidf"])
    assert next_stage(Stage.COMPARE, compared) == StageJobs(Stage.SUPERVISED, ["text"])
    assert next_stage(Stage.COMBINE, {}) == StageJobs(Stage.CONCLUDE, [None])
    assert next_stage(Stage.COMBINE, {"supervised": []}) == StageJobs(Stage.CONCLUDE, [None])
    assert next_stage(Stage.SAMPLE, {}) == StageJobs(Stage.COMBINE, [None])


def test_the_stages_together_take_all_the_time() -> None:
    assert list(STAGE_SHARES) == list(Stage)
    assert sum(STAGE_SHARES.values()) == pytest.approx(1)


def test_a_plan_comes_back_from_json() -> None:
    plan = StudyPlan(extractors=("tfidf",), level=2, seeds=(0, 4), repeats=0, clusterings=OPTIONAL_METHODS)
    assert StudyPlan.read(json.loads(json.dumps(asdict(plan)))) == plan
    assert StudyPlan.read({}) == StudyPlan()


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("report.json", "application/json"),
        ("body.fr.html", "text/html; charset=utf-8"),
        ("figures/map-word2vec+fisher.fr.png", "image/png"),
        ("tables/wrong-shelves.csv", "text/csv; charset=utf-8"),
        ("photos.webp", "image/webp"),
    ],
)
def test_files_of_a_study_have_their_type(name: str, media_type: str) -> None:
    assert file_type(name) == media_type


@pytest.mark.parametrize(
    "name",
    [
        "",
        "report",
        "sample.json",
        "wrong_shelves.json",
        "work/trials/a.json",
        "../report.json",
        "figures/../report.json",
        "figures//a.png",
        "figures/a/b.png",
        "/report.json",
        "report.json\n",
        "report.de.html",
        "figures/a.html",
        "figures/é.png",
    ],
)
def test_other_names_are_no_files_of_a_study(name: str) -> None:
    assert file_type(name) is None


def test_studies_lie_apart_in_the_storage() -> None:
    assert study_key(12, "report.json") == "studies/12/report.json"
    assert not study_key(12, "x").startswith(study_key(1))


def test_a_spread_is_mean_and_deviation_and_the_extremes_unless_an_interval_is_given() -> None:
    spread = Spread.of([1.0, 2.0, 6.0])
    assert (spread.mean, spread.low, spread.high) == (3.0, 1.0, 6.0)
    assert spread.std == pytest.approx((14 / 3) ** 0.5)
    assert Spread.of([1.0, 3.0], 0.5, 3.5) == Spread(2.0, 1.0, 0.5, 3.5)


def test_the_default_plan_is_ten_seeds_and_the_usual_perplexity() -> None:
    assert (StudyPlan().seeds, StudyPlan().perplexity) == (tuple(range(10)), 30.0)
