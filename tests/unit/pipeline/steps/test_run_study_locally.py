"""A study in one process: all stages, kept results, and going on after an interruption."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from infra.storage.filesystem import FilesystemStorage
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.study import OPTIONAL_METHODS, Feasibility, StudyPlan, StudyProtocol, TrialStatus
from pipeline.features.fisher import Fisher
from pipeline.steps.run_study_locally import LocalStudyContext, LocalStudyResult, run_study_locally
from pipeline.study.study_steps import StudySteps
from pipeline.study.study_storage import StoredFeatures
from tests.unit.pipeline.study.fake_steps import FakeStudySteps

PLAN = StudyPlan(extractors=("tfidf", "fisher"), seeds=(0,))
EXAMPLES = [
    Example(f"k{n}", Evidence(f"thing {n}", photo=b"a photo" if n % 2 else None), f"{'AB'[n % 2]} >> below")
    for n in range(10)
]


@pytest.fixture
def storage(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path, "", "")


def study(
    storage: FilesystemStorage, steps: StudySteps, plan: StudyPlan = PLAN, examples: list[Example] = EXAMPLES
) -> tuple[LocalStudyResult, list[float]]:
    """Run a study; its result, and the shares of its progress."""
    shares: list[float] = []
    context = LocalStudyContext(storage, StoredFeatures(storage, "shop"), {}, steps)
    result = run_study_locally(examples, plan, "shop", context, lambda share, _note: shares.append(share))
    return result, shares


def test_all_stages_run_and_progress_only_grows(storage: FilesystemStorage) -> None:
    result, shares = study(storage, FakeStudySteps())
    report = result.report
    assert (report.verdict, report.subject, report.study_id) == (Feasibility.PROMISING, "shop", None)
    assert {trial.extractor for trial in report.trials} == {"tfidf", "fisher", "tfidf+fisher"}
    assert [row.listing_id for row in report.rows] == [None] * 10
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert json.loads(result.folder.read("report.json") or b"") == report.as_json()
    (issue,) = json.loads(result.folder.read("wrong_shelves.json") or b"")
    assert (issue["rank"], issue["key"], issue["name"]) == (1, "k0", "thing 0")
    assert issue["neighbours"] == [
        {"listing_id": None, "key": "k1", "name": "thing 1", "category": "B", "similarity": 0.8}
    ]


def test_an_interrupted_study_goes_on_where_it_was(storage: FilesystemStorage) -> None:
    steps = FakeStudySteps()

    def interrupt(name: str) -> None:
        if name == "supervised fisher":
            raise KeyboardInterrupt

    steps.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        study(storage, steps)
    steps.before = lambda _name: None
    result, _ = study(storage, steps)
    assert steps.calls == {
        "tfidf": 1,
        "fisher": 1,
        "tfidf+fisher": 1,
        "supervised tfidf": 1,
        "supervised fisher": 2,
        "report": 1,
    }
    assert len(result.report.supervised) == 2


@pytest.mark.parametrize("changed", ["plan", "listing", "photo", "extractor"])
def test_another_plan_catalogue_or_extractor_begins_anew(
    storage: FilesystemStorage, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = FakeStudySteps(fail={"report": RuntimeError("stopped before the end")})
    with pytest.raises(RuntimeError):
        study(storage, steps)
    plan, examples = PLAN, list(EXAMPLES)
    if changed == "plan":
        plan = StudyPlan(extractors=("tfidf", "fisher"), seeds=(0, 1))
    elif changed == "extractor":
        monkeypatch.setattr(Fisher, "version", Fisher.version + 1)
    else:
        other = Evidence("another thing") if changed == "listing" else Evidence("thing 1", photo=b"another photo")
        examples[1] = Example("k1", other, EXAMPLES[1].category)
    with pytest.raises(RuntimeError):
        study(storage, steps, plan, examples)
    assert steps.calls["tfidf"] == 2


def test_other_clustering_methods_are_compared_where_the_plan_asks_for_them(storage: FilesystemStorage) -> None:
    steps = FakeStudySteps(fail={"compare fisher": ValueError("no")})
    result, shares = study(storage, steps, replace(PLAN, clusterings=OPTIONAL_METHODS))
    clusterings = result.report.clusterings
    assert [(each.extractor, each.method, each.status) for each in clusterings] == [
        ("tfidf", "spectral", "done"),
        ("tfidf", "hdbscan", "done"),
        *(("fisher", method, "failed") for _ in StudyProtocol for method in ("kmeans", "spectral", "hdbscan")),
        ("tfidf+fisher", "spectral", "done"),
        ("tfidf+fisher", "hdbscan", "done"),
    ]
    assert {str(each.reason) for each in clusterings} == {"None", "ValueError: no"}
    assert shares == sorted(shares)
    assert study(storage, FakeStudySteps())[0].report.clusterings == ()


def test_failures_are_part_of_the_report(storage: FilesystemStorage) -> None:
    steps = FakeStudySteps(fail={"fisher": ValueError("no"), "supervised tfidf": InvalidInput("in plain words")})
    report = study(storage, steps)[0].report
    done, failed = TrialStatus.DONE, TrialStatus.FAILED
    assert [(trial.extractor, trial.status, str(trial.reason)) for trial in report.trials] == [
        *[("tfidf", done, "None")] * 2,
        *[("fisher", failed, "ValueError: no")] * 2,
    ]
    outcomes = [(figures.status, str(figures.reason)) for figures in report.supervised]
    assert outcomes == [(TrialStatus.UNAVAILABLE, "in plain words")], "something missing in the listings is no failure"


def test_too_little_to_study_is_refused(storage: FilesystemStorage) -> None:
    with pytest.raises(InvalidInput, match="two categories"):
        study(storage, FakeStudySteps(), examples=EXAMPLES[:1])


def test_without_repeats_nothing_is_cross_validated(storage: FilesystemStorage) -> None:
    result, _ = study(storage, FakeStudySteps(), StudyPlan(extractors=("tfidf",), repeats=0))
    assert result.report.supervised == ()
