"""A study in one process: the same stages, kept results, and going on after an interruption."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.storage.filesystem import FilesystemStorage
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.study import FURTHER, StudyPlan
from pipeline.features.fisher import Fisher
from pipeline.steps.run_study_locally import LocalStudyResult, run_study_locally
from pipeline.study.stored_features import StoredFeatures
from pipeline.study.verdict import Bars, judge
from tests.unit.pipeline.study.quick import Quick

PLAN = StudyPlan(extractors=("tfidf", "fisher"), seeds=(0,))
EXAMPLES = [
    Example(f"k{n}", Evidence(f"thing {n}", photo=b"a photo" if n % 2 else None), f"{'AB'[n % 2]} >> below")
    for n in range(10)
]


@pytest.fixture
def storage(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path, "", "")


def study(
    storage: FilesystemStorage, quick: Quick, plan: StudyPlan = PLAN, examples: list[Example] = EXAMPLES
) -> tuple[LocalStudyResult, list[float]]:
    shares: list[float] = []
    done = run_study_locally(
        examples,
        plan,
        "shop",
        storage,
        StoredFeatures(storage, "shop"),
        {},
        quick.methods(),
        lambda share, note: shares.append(share),
    )
    return done, shares


def test_all_stages_run_and_progress_only_grows(storage: FilesystemStorage) -> None:
    done, shares = study(storage, Quick())
    assert (done.report["verdict"], done.report["subject"], done.report["study_id"]) == ("promising", "shop", None)
    assert {row["extractor"] for row in done.report["trials"]} == {"tfidf", "fisher", "tfidf+fisher"}
    assert [row["listing_id"] for row in done.report["rows"]] == [None] * 10
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert json.loads(done.folder.read("report.json") or b"") == done.report
    (shelf,) = json.loads(done.folder.read("wrong_shelves.json") or b"")
    assert (shelf["rank"], shelf["key"], shelf["name"]) == (1, "k0", "thing 0")
    assert shelf["neighbours"] == [
        {"listing_id": None, "key": "k1", "name": "thing 1", "category": "B", "similarity": 0.8}
    ]


def test_an_interrupted_study_goes_on_where_it_was(storage: FilesystemStorage) -> None:
    quick = Quick()

    def interrupt(name: str) -> None:
        if name == "judge fisher":
            raise KeyboardInterrupt

    quick.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        study(storage, quick)
    quick.before = lambda name: None
    done, _ = study(storage, quick)
    assert quick.calls == {
        "tfidf": 1,
        "fisher": 1,
        "tfidf+fisher": 1,
        "judge tfidf": 1,
        "judge fisher": 2,
        "conclude": 1,
    }
    assert len(done.report["supervised"]) == 2


@pytest.mark.parametrize("changed", ["plan", "listing", "photo", "extractor"])
def test_another_plan_catalogue_or_extractor_begins_anew(
    storage: FilesystemStorage, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = Quick(fail={"conclude": RuntimeError("stopped before the end")})
    with pytest.raises(RuntimeError):
        study(storage, quick)
    plan, examples = PLAN, list(EXAMPLES)
    if changed == "plan":
        plan = StudyPlan(extractors=("tfidf", "fisher"), seeds=(0, 1))
    elif changed == "extractor":
        monkeypatch.setattr(Fisher, "version", Fisher.version + 1)
    else:
        other = Evidence("another thing") if changed == "listing" else Evidence("thing 1", photo=b"another photo")
        examples[1] = Example("k1", other, EXAMPLES[1].category)
    with pytest.raises(RuntimeError):
        study(storage, quick, plan, examples)
    assert quick.calls["tfidf"] == 2


def test_further_ways_to_cluster_are_compared_where_they_are_asked_for(storage: FilesystemStorage) -> None:
    quick = Quick(fail={"compare fisher": ValueError("no")})
    plan = replace(PLAN, clusterings=FURTHER)
    done, shares = study(storage, quick, plan)
    rows = [(row["extractor"], row["method"], row["status"]) for row in done.report["clusterings"]]
    assert rows == [
        ("tfidf", "spectral", "done"),
        ("tfidf", "hdbscan", "done"),
        *(("fisher", method, "failed") for _ in "BA" for method in ("kmeans", "spectral", "hdbscan")),
        ("tfidf+fisher", "spectral", "done"),
        ("tfidf+fisher", "hdbscan", "done"),
    ]
    assert {row["reason"] for row in done.report["clusterings"]} == {None, "ValueError: no"}
    assert shares == sorted(shares)
    assert study(storage, Quick())[0].report["clusterings"] == []


def test_failures_are_rows_and_nothing_to_tell_apart_is_told(storage: FilesystemStorage) -> None:
    done, _ = study(storage, Quick(fail={"fisher": ValueError("no"), "judge tfidf": InvalidInput("in plain words")}))
    reasons = {row["extractor"]: row["reason"] for row in done.report["trials"]}
    assert reasons == {"tfidf": None, "fisher": "ValueError: no"}
    assert [row["status"] for row in done.report["trials"]] == ["done", "done", "failed", "failed"]
    told = [(row["status"], row["reason"]) for row in done.report["supervised"]]
    assert told == [("unavailable", "in plain words")], "what the listings lack is no failure"
    with pytest.raises(InvalidInput, match="two categories"):
        study(storage, Quick(), examples=EXAMPLES[:1])


def test_without_repeats_nothing_is_cross_validated(storage: FilesystemStorage) -> None:
    done, _ = study(storage, Quick(), StudyPlan(extractors=("tfidf",), repeats=0))
    assert done.report["supervised"] == []


def test_the_verdict_keeps_to_the_bars_of_the_settings() -> None:
    rows = [{"modality": "text", "protocol": "B", "status": "done", "extractor": "tfidf", "accuracy": 0.6}]
    rows[0]["ari"] = {"mean": 0.4}
    for ari_feasible, verdict in ((0.5, "promising"), (0.4, "feasible")):
        found, findings = judge(
            rows, [], Bars(**{**Settings(database_url="x").study_bars(), "ari_feasible": ari_feasible})
        )
        assert found == verdict
        assert findings[-1]["ari_feasible"] == ari_feasible
    assert set(Settings(database_url="x").study_bars()) == set(Bars.__slots__)
