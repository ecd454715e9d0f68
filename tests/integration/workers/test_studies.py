"""A study by workers: real record and storage, quick stand-ins for the mathematics; what fails, dies or goes away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.store.sql_fragments import SQL_OPEN_STATES
from infra.store.studies.queries import study_progress
from pipeline.domain.errors import StorageUnavailable, Unavailable
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.study import OPTIONAL_METHODS, StudyPlan, study_key
from pipeline.steps.intake import accept, withdraw
from pipeline.study.study_storage import WORK_FOLDER
from tests.integration.workers.conftest import Bench
from tests.integration.workers.study_bench import PLAN, StudyBench
from tests.unit.pipeline.study.fake_steps import FakeStudySteps
from workers.long_job_handlers import purge


@pytest.fixture
def studies(bench: Bench) -> StudyBench:
    return StudyBench(bench, FakeStudySteps())


def test_a_study_runs_from_its_sample_to_its_report(studies: StudyBench) -> None:
    studies.stock()
    study_id = studies.begin()
    studies.work()
    assert studies.study(study_id) == ("done", "conclude", "promising", None)
    assert {status for status, _ in studies.trials().values()} == {"done"}
    assert len(studies.trials()) == 8, "three extractors and one pair, under both protocols"
    report = studies.report(study_id)
    assert report["studied"] == 24
    assert report["study_id"] == study_id
    assert len(report["trials"]) == 8
    assert {row["extractor"] for row in report["supervised"]} == {"tfidf", "bag_of_words", "fisher"}
    assert studies.steps.calls["tfidf"] == 1
    with_photo = {evidence.name for evidence in studies.steps.seen["fisher"] if evidence.photo is not None}
    assert with_photo == {f"thing number {n}" for n in range(24) if n % 3}
    assert all(e.photo is None for e in studies.steps.seen["tfidf"])
    names = [found.key for found in studies.bench.context.storage.keys(study_key(study_id))]
    assert study_key(study_id, "report.en.html") in names
    left = study_key(study_id, WORK_FOLDER)
    assert not [name for name in names if name.startswith(left)], "what only the stages needed is gone"
    assert studies.bench.value("SELECT best ->> 'text' FROM studies") == "0.5"
    assert studies.bench.value("SELECT count(*) FROM jobs WHERE kind = 'study' AND state <> 'done'") == 0


def test_the_trend_tells_of_the_studies_before(studies: StudyBench) -> None:
    studies.stock()
    first, second = studies.begin(), None
    studies.work()
    second = studies.begin()
    studies.work()
    (past,) = studies.report(second)["trend"]
    assert past["study_id"] == first
    assert past["fingerprint"] == studies.report(second)["fingerprint"], "nothing has changed"
    assert past["best"]["text"] == 0.5


def test_a_failed_or_unavailable_extractor_is_a_row_with_its_reason(studies: StudyBench) -> None:
    studies.stock()
    studies.steps.fail = {
        "tfidf": ValueError("it cannot be"),
        "fisher": Unavailable("fisher lacks something; do this"),
        "supervised bag_of_words": MemoryError(),
    }
    study_id = studies.begin()
    studies.work()
    assert studies.study(study_id)[:3] == ("done", "conclude", "promising")
    assert studies.trials() == {
        "bag_of_words A": ("done", None),
        "bag_of_words B": ("done", None),
        "fisher A": ("unavailable", "fisher lacks something; do this"),
        "fisher B": ("unavailable", "fisher lacks something; do this"),
        "tfidf A": ("failed", "ValueError: it cannot be"),
        "tfidf B": ("failed", "ValueError: it cannot be"),
    }
    (judged,) = studies.report(study_id)["supervised"]
    assert judged["status"] == "failed"
    assert "memory" in judged["reason"]


@pytest.mark.parametrize(
    ("count", "categories", "said"),
    [(0, ("A",), "none"), (10, ("A >> B",), "fewer than two categories"), (2, ("A", "B"), "fewer than two")],
)
def test_too_little_to_study_fails_with_a_sentence(
    studies: StudyBench, count: int, categories: tuple[str, ...], said: str
) -> None:
    if count:
        studies.stock(count, categories)
    study_id = studies.begin()
    studies.work()
    status, _, _, error = studies.study(study_id)
    assert status == "failed"
    assert said in error
    assert studies.bench.value("SELECT count(*) FROM dead_letters") == 0
    assert studies.bench.value(f"SELECT count(*) FROM jobs WHERE state IN {SQL_OPEN_STATES}") == 0


def test_an_unknown_extractor_fails_with_those_there_are(studies: StudyBench) -> None:
    studies.stock()
    study_id = studies.begin(StudyPlan(extractors=("tfidf", "crystal_ball")))
    studies.work()
    status, _, _, error = studies.study(study_id)
    assert status == "failed"
    assert "crystal_ball" in error
    assert "bag_of_words" in error


def test_listings_that_change_or_go_meanwhile_change_nothing(studies: StudyBench) -> None:
    studies.stock()
    study_id = studies.begin()
    studies.step()
    fingerprint = studies.bench.value("SELECT fingerprint FROM studies")
    context = studies.bench.context
    accept(context.units, studies.bench.source.id, [Submission("s1", Content(name="another thing"))], Priority.PIPELINE)
    withdraw(context.units, studies.bench.value("SELECT id FROM listings WHERE external_id = 's2'"))
    studies.bench.run(
        "UPDATE listings SET current_revision_id = NULL WHERE external_id = 's3'; "
        "DELETE FROM listings WHERE external_id = 's3'"
    )
    studies.work()
    assert studies.study(study_id)[0] == "done"
    report = studies.report(study_id)
    assert (report["fingerprint"], report["studied"]) == (fingerprint, 24)
    names = {row["key"]: row["name"] for row in report["rows"]}
    assert (names["s1"], names["s2"], names["s3"]) == ("thing number 1", "thing number 2", "")


def test_a_storage_that_is_away_is_waited_for(studies: StudyBench) -> None:
    studies.stock()
    study_id = studies.begin()
    studies.steps.fail["tfidf"] = StorageUnavailable("the storage does not answer")
    studies.step()
    studies.step()
    assert studies.bench.value("SELECT count(*) FROM jobs WHERE state = 'waiting' AND failures = 1") == 1
    studies.steps.fail.clear()
    studies.work()
    assert studies.study(study_id)[0] == "done"
    assert studies.trials()["tfidf B"] == ("done", None)


def test_a_storage_that_stays_away_costs_a_trial_not_the_study(studies: StudyBench) -> None:
    studies.stock()
    study_id = studies.begin()
    studies.steps.fail["tfidf"] = StorageUnavailable("the storage does not answer")
    studies.work()
    assert studies.study(study_id)[0] == "done"
    status, reason = studies.trials()["tfidf B"]
    assert status == "failed"
    assert "the storage does not answer" in str(reason)
    assert studies.bench.value("SELECT count(*) FROM dead_letters") == 1


@pytest.mark.parametrize("stage", ["combine", "supervised"])
def test_a_worker_that_dies_in_a_later_stage_costs_its_rows_only(studies: StudyBench, stage: str) -> None:
    studies.stock()
    study_id = studies.begin()
    studies.go_to(stage)
    for _ in range(3):
        studies.die()
    studies.work()
    assert studies.study(study_id)[0] == "done"
    if stage == "combine":
        assert studies.trials()["text+image B"][0] == "failed"
        assert len(studies.report(study_id)["supervised"]) == 3
    else:
        assert [row["status"] for row in studies.report(study_id)["supervised"]].count("failed") == 3


def test_ways_to_cluster_are_compared_one_job_for_each_kind_of_features(studies: StudyBench) -> None:
    studies.stock()
    plan = replace(PLAN, clusterings=OPTIONAL_METHODS)
    study_id = studies.begin(plan)
    studies.go_to("compare")
    with studies.bench.context.engine.connect() as connection:
        waiting = study_progress(connection, study_id)
    assert [work.extractor for work in waiting.compared] == ["bag_of_words", "fisher", "bag_of_words+fisher"]
    studies.work()
    assert studies.study(study_id)[0] == "done"
    assert len(studies.trials()) == 8, "they are no trials"
    rows = [(row["extractor"], row["method"], row["status"]) for row in studies.report(study_id)["clusterings"]]
    assert len(rows) == 6
    assert {status for *_, status in rows} == {"done"}
    second = studies.begin(plan)
    studies.go_to("compare")
    for _ in range(3):
        studies.die()
    studies.work()
    assert studies.study(second)[0] == "done"
    lost = studies.report(second)["clusterings"]
    assert {row["status"] for row in lost} == {"failed"}
    assert all("died" in row["reason"] for row in lost)
    assert len(studies.report(second)["supervised"]) == 3


@pytest.mark.parametrize("stage", ["sample", "conclude"])
def test_a_worker_that_dies_in_an_indispensable_stage_fails_the_study(studies: StudyBench, stage: str) -> None:
    studies.stock()
    study_id = studies.begin()
    studies.go_to(stage)
    for _ in range(3):
        studies.die()
    studies.work()
    status, _, _, error = studies.study(study_id)
    assert status == "failed"
    assert "died" in error


def test_a_trial_that_was_finished_is_not_computed_again(studies: StudyBench) -> None:
    studies.stock()
    study_id = studies.begin()
    studies.go_to("trial")

    # The result is in the folder, but whoever computed it died before the job ended.
    class Died(BaseException):
        """Stands for the process ending."""

    def die(name: str) -> None:
        if name == "supervised tfidf":
            raise Died

    studies.steps.before = die
    studies.step()
    studies.step()
    with pytest.raises(Died):
        studies.step()
    studies.steps.before = lambda _name: None
    studies.bench.expire()
    studies.bench.sweep()
    studies.work()
    assert studies.study(study_id)[0] == "done"
    assert studies.steps.calls["tfidf"] == 1
    assert studies.steps.calls["supervised tfidf"] == 2


def test_old_studies_are_purged_with_their_files(studies: StudyBench) -> None:
    studies.stock()
    first = studies.begin()
    studies.work()
    second = studies.begin()
    studies.work()
    studies.bench.run("UPDATE studies SET ended_at = now() - interval '1000 days'")
    assert "1 studies" in purge(studies.bench.context)
    assert studies.bench.value("SELECT array_agg(id) FROM studies") == [second]
    storage = studies.bench.context.storage
    assert list(storage.keys(study_key(first))) == []
    assert storage.stat(study_key(second, "report.json")) is not None
