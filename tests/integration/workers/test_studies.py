"""A study by workers: real record and storage, quick stand-ins for the mathematics; what fails, dies or goes away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.store.sql import SQL_OPEN_STATES
from infra.store.studies.queries import study_progress
from pipeline.domain.errors import StorageUnavailable, Unavailable
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.study import FURTHER, StudyPlan, study_key
from pipeline.steps.intake import accept, withdraw
from pipeline.study.study_folder import WORK
from tests.integration.workers.conftest import Bench
from tests.integration.workers.studying import PLAN, Academy
from tests.unit.pipeline.study.quick import Quick
from workers.long_job_handlers import purge


@pytest.fixture
def academy(bench: Bench) -> Academy:
    return Academy(bench, Quick())


def test_a_study_runs_from_its_sample_to_its_report(academy: Academy) -> None:
    academy.stock()
    study_id = academy.begin()
    academy.work()
    assert academy.study(study_id) == ("done", "conclude", "promising", None)
    assert {status for status, _ in academy.trials().values()} == {"done"}
    assert len(academy.trials()) == 8, "three extractors and one pair, under both protocols"
    report = academy.report(study_id)
    assert report["studied"] == 24
    assert report["study_id"] == study_id
    assert len(report["trials"]) == 8
    assert {row["extractor"] for row in report["supervised"]} == {"tfidf", "bag_of_words", "fisher"}
    assert academy.quick.calls["tfidf"] == 1
    with_photo = {evidence.name for evidence in academy.quick.seen["fisher"] if evidence.photo is not None}
    assert with_photo == {f"thing number {n}" for n in range(24) if n % 3}
    assert all(e.photo is None for e in academy.quick.seen["tfidf"])
    names = [found.key for found in academy.bench.context.storage.keys(study_key(study_id))]
    assert study_key(study_id, "report.en.html") in names
    left = study_key(study_id, WORK)
    assert not [name for name in names if name.startswith(left)], "what only the stages needed is gone"
    assert academy.bench.value("SELECT best ->> 'text' FROM studies") == "0.5"
    assert academy.bench.value("SELECT count(*) FROM jobs WHERE kind = 'study' AND state <> 'done'") == 0


def test_the_trend_tells_of_the_studies_before(academy: Academy) -> None:
    academy.stock()
    first, second = academy.begin(), None
    academy.work()
    second = academy.begin()
    academy.work()
    (past,) = academy.report(second)["trend"]
    assert past["study_id"] == first
    assert past["fingerprint"] == academy.report(second)["fingerprint"], "nothing has changed"
    assert past["best"]["text"] == 0.5


def test_a_failed_or_unavailable_extractor_is_a_row_with_its_reason(academy: Academy) -> None:
    academy.stock()
    academy.quick.fail = {
        "tfidf": ValueError("it cannot be"),
        "fisher": Unavailable("fisher lacks something; do this"),
        "judge bag_of_words": MemoryError(),
    }
    study_id = academy.begin()
    academy.work()
    assert academy.study(study_id)[:3] == ("done", "conclude", "promising")
    assert academy.trials() == {
        "bag_of_words A": ("done", None),
        "bag_of_words B": ("done", None),
        "fisher A": ("unavailable", "fisher lacks something; do this"),
        "fisher B": ("unavailable", "fisher lacks something; do this"),
        "tfidf A": ("failed", "ValueError: it cannot be"),
        "tfidf B": ("failed", "ValueError: it cannot be"),
    }
    (judged,) = academy.report(study_id)["supervised"]
    assert judged["status"] == "failed"
    assert "memory" in judged["reason"]


@pytest.mark.parametrize(
    ("count", "categories", "said"),
    [(0, ("A",), "none"), (10, ("A >> B",), "fewer than two categories"), (2, ("A", "B"), "fewer than two")],
)
def test_too_little_to_study_fails_with_a_sentence(
    academy: Academy, count: int, categories: tuple[str, ...], said: str
) -> None:
    if count:
        academy.stock(count, categories)
    study_id = academy.begin()
    academy.work()
    status, _, _, error = academy.study(study_id)
    assert status == "failed"
    assert said in error
    assert academy.bench.value("SELECT count(*) FROM dead_letters") == 0
    assert academy.bench.value(f"SELECT count(*) FROM jobs WHERE state IN {SQL_OPEN_STATES}") == 0


def test_an_unknown_extractor_fails_with_those_there_are(academy: Academy) -> None:
    academy.stock()
    study_id = academy.begin(StudyPlan(extractors=("tfidf", "crystal_ball")))
    academy.work()
    status, _, _, error = academy.study(study_id)
    assert status == "failed"
    assert "crystal_ball" in error
    assert "bag_of_words" in error


def test_listings_that_change_or_go_meanwhile_change_nothing(academy: Academy) -> None:
    academy.stock()
    study_id = academy.begin()
    academy.step()
    fingerprint = academy.bench.value("SELECT fingerprint FROM studies")
    context = academy.bench.context
    accept(context.units, academy.bench.source.id, [Submission("s1", Content(name="another thing"))], Priority.PIPELINE)
    withdraw(context.units, academy.bench.value("SELECT id FROM listings WHERE external_id = 's2'"))
    academy.bench.run(
        "UPDATE listings SET current_revision_id = NULL WHERE external_id = 's3'; "
        "DELETE FROM listings WHERE external_id = 's3'"
    )
    academy.work()
    assert academy.study(study_id)[0] == "done"
    report = academy.report(study_id)
    assert (report["fingerprint"], report["studied"]) == (fingerprint, 24)
    names = {row["key"]: row["name"] for row in report["rows"]}
    assert (names["s1"], names["s2"], names["s3"]) == ("thing number 1", "thing number 2", "")


def test_a_storage_that_is_away_is_waited_for(academy: Academy) -> None:
    academy.stock()
    study_id = academy.begin()
    academy.quick.fail["tfidf"] = StorageUnavailable("the storage does not answer")
    academy.step()
    academy.step()
    assert academy.bench.value("SELECT count(*) FROM jobs WHERE state = 'waiting' AND failures = 1") == 1
    academy.quick.fail.clear()
    academy.work()
    assert academy.study(study_id)[0] == "done"
    assert academy.trials()["tfidf B"] == ("done", None)


def test_a_storage_that_stays_away_costs_a_trial_not_the_study(academy: Academy) -> None:
    academy.stock()
    study_id = academy.begin()
    academy.quick.fail["tfidf"] = StorageUnavailable("the storage does not answer")
    academy.work()
    assert academy.study(study_id)[0] == "done"
    status, reason = academy.trials()["tfidf B"]
    assert status == "failed"
    assert "the storage does not answer" in str(reason)
    assert academy.bench.value("SELECT count(*) FROM dead_letters") == 1


@pytest.mark.parametrize("stage", ["combine", "supervised"])
def test_a_worker_that_dies_in_a_later_stage_costs_its_rows_only(academy: Academy, stage: str) -> None:
    academy.stock()
    study_id = academy.begin()
    academy.go_to(stage)
    for _ in range(3):
        academy.die()
    academy.work()
    assert academy.study(study_id)[0] == "done"
    if stage == "combine":
        assert academy.trials()["text+image B"][0] == "failed"
        assert len(academy.report(study_id)["supervised"]) == 3
    else:
        assert [row["status"] for row in academy.report(study_id)["supervised"]].count("failed") == 3


def test_ways_to_cluster_are_compared_one_job_for_each_kind_of_features(academy: Academy) -> None:
    academy.stock()
    plan = replace(PLAN, clusterings=FURTHER)
    study_id = academy.begin(plan)
    academy.go_to("compare")
    with academy.bench.context.engine.connect() as connection:
        waiting = study_progress(connection, study_id)
    assert [work.extractor for work in waiting.compared] == ["bag_of_words", "fisher", "bag_of_words+fisher"]
    academy.work()
    assert academy.study(study_id)[0] == "done"
    assert len(academy.trials()) == 8, "they are no trials"
    rows = [(row["extractor"], row["method"], row["status"]) for row in academy.report(study_id)["clusterings"]]
    assert len(rows) == 6
    assert {status for *_, status in rows} == {"done"}
    second = academy.begin(plan)
    academy.go_to("compare")
    for _ in range(3):
        academy.die()
    academy.work()
    assert academy.study(second)[0] == "done"
    lost = academy.report(second)["clusterings"]
    assert {row["status"] for row in lost} == {"failed"}
    assert all("died" in row["reason"] for row in lost)
    assert len(academy.report(second)["supervised"]) == 3


@pytest.mark.parametrize("stage", ["sample", "conclude"])
def test_a_worker_that_dies_where_nothing_can_be_had_without_it_fails_the_study(academy: Academy, stage: str) -> None:
    academy.stock()
    study_id = academy.begin()
    academy.go_to(stage)
    for _ in range(3):
        academy.die()
    academy.work()
    status, _, _, error = academy.study(study_id)
    assert status == "failed"
    assert "died" in error


def test_a_trial_that_was_finished_is_not_computed_again(academy: Academy) -> None:
    academy.stock()
    study_id = academy.begin()
    academy.go_to("trial")

    # The result is in the folder, but whoever computed it died before the job ended.
    class Died(BaseException):
        """Stands for the process ending."""

    def die(name: str) -> None:
        if name == "judge tfidf":
            raise Died

    academy.quick.before = die
    academy.step()
    academy.step()
    with pytest.raises(Died):
        academy.step()
    academy.quick.before = lambda name: None
    academy.bench.expire()
    academy.bench.sweep()
    academy.work()
    assert academy.study(study_id)[0] == "done"
    assert academy.quick.calls["tfidf"] == 1
    assert academy.quick.calls["judge tfidf"] == 2


def test_old_studies_are_purged_with_their_files(academy: Academy) -> None:
    academy.stock()
    first = academy.begin()
    academy.work()
    second = academy.begin()
    academy.work()
    academy.bench.run("UPDATE studies SET ended_at = now() - interval '1000 days'")
    assert "1 studies" in purge(academy.bench.context)
    storage = academy.bench.context.storage
    assert list(storage.keys(study_key(first))) == []
    assert storage.stat(study_key(second, "report.json")) is not None
