"""Studies in the record: trials, progress, who may see them, what they know of their listings, which are kept."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from infra.store.studies.queries import find_study, list_studies, study_progress
from pipeline.domain.errors import NotFound
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.source import Source
from pipeline.domain.study import Feasibility, StudyProtocol, StudyStatus, TrialStatus
from pipeline.domain.study_report import Trial
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps import studies
from tests.integration.infra.store.test_study_stages import StudyJobs, jobs
from tests.integration.records import add_source, begin_study
from tests.unit.pipeline.study.fake_steps import done_trial

__all__ = ["jobs"]
LISTINGS = """
INSERT INTO listings (id, source_id, external_id, status) OVERRIDING SYSTEM VALUE
    SELECT n, :source, 'l' || n, 'pending' FROM generate_series(1, 3) AS n;
INSERT INTO revisions (id, listing_id, number, fingerprint, name, description, attributes, seller_category)
    OVERRIDING SYSTEM VALUE SELECT 10 + n, n, 1, 'f', 'name ' || n, '', '{}', CASE WHEN n < 3 THEN 'Home' END
    FROM generate_series(1, 3) AS n;
UPDATE listings SET current_revision_id = 10 + id;
INSERT INTO images (revision_id, position, reference, status) VALUES (11, 0, 'uploads/1/a', 'pending');
INSERT INTO provenances (listing_id, database, address, categories)
    VALUES (2, 'openfoodfacts', 'https://world.openfoodfacts.org/product/2', '[]')
"""


def test_what_is_due_begins_once_a_period_and_not_beside_one_that_runs(
    jobs: StudyJobs, engine: Engine, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def due(period: int, enough: int = 2) -> list[int]:
        monkeypatch.setattr(studies, "MIN_LABELLED_LISTINGS", enough)
        return studies.begin_due_studies(jobs.units, period)

    def fail(study_id: int) -> None:
        with jobs.units() as unit:
            unit.studies.fail(study_id, Reason.other("of no use"))
            unit.commit()

    with engine.begin() as connection:
        connection.execute(text(LISTINGS), {"source": source.id})
    assert due(7) == [], "one runs"
    fail(jobs.study)
    assert due(7, enough=3) == [], "two listings have a category"
    (study_id,) = due(7)
    fail(study_id)
    assert due(7) == [], "the period has had its study"
    assert len(due(8)) == 1
    with engine.connect() as connection:
        priority = connection.scalar(text("SELECT priority FROM jobs ORDER BY id DESC LIMIT 1"))
    assert priority == "backfill", "it gives way to what people ask for"


def test_trials_are_rows_with_figures_or_a_reason(jobs: StudyJobs, engine: Engine) -> None:
    jobs.freeze("tfidf", "word2vec")
    done = [done_trial("tfidf", Modality.TEXT, protocol) for protocol in StudyProtocol]
    failed = Trial.without_figures("word2vec", Modality.TEXT, TrialStatus.FAILED, Reason.other("no\x00"))
    for _ in range(2):
        with jobs.units() as unit:
            unit.studies.write_trials(jobs.study, [*done, *failed])
            unit.commit()
    with engine.connect() as connection:
        found = find_study(connection, jobs.study, None)
    assert found is not None
    assert [(t.extractor, t.protocol, t.status, t.reason) for t in found.trials] == [
        ("tfidf", "A", "done", None),
        ("tfidf", "B", "done", None),
        ("word2vec", "A", "failed", "no"),
        ("word2vec", "B", "failed", "no"),
    ]
    assert found.trials[0].figures["ari"]["mean"] == 0.5


def test_progress_grows_with_the_stages_and_their_jobs(jobs: StudyJobs, engine: Engine) -> None:
    def share() -> float:
        with engine.connect() as connection:
            return study_progress(connection, jobs.study).share

    seen = [share()]
    first, second = jobs.go_to_trials("tfidf", "word2vec")
    seen.append(share())
    with jobs.units() as unit:
        assert unit.claims.report_progress(first.claim, 0.5, "clustering, seed 3")
        unit.commit()
    seen.append(share())
    with engine.connect() as connection:
        progress = study_progress(connection, jobs.study)
    assert progress.stage == "trial"
    assert "clustering, seed 3" in progress.doing
    assert {work.extractor: work.status for work in progress.trials} == {"tfidf": "running", "word2vec": "running"}
    for run in (first, second):
        jobs.end(run)
        seen.append(share())
    assert seen == sorted(set(seen))
    assert seen[-1] < 1
    with jobs.units() as unit:
        unit.studies.fail(jobs.study, Reason.other("enough"))
        unit.commit()
    assert share() == 1


def test_a_key_sees_a_study_only_when_every_source_of_its_taxonomy_is_its_own(
    jobs: StudyJobs, engine: Engine, source: Source
) -> None:
    second = add_source(engine, "branch", taxonomy=source.taxonomy)

    def seen(ids: frozenset[int] | None) -> list[int]:
        return [study.id for study in list_studies(connection, ids)]

    with engine.connect() as connection:
        assert seen(None) == [jobs.study]
        assert seen(frozenset({source.id, second.id})) == [jobs.study]
        assert seen(frozenset({source.id})) == []
        assert seen(frozenset()) == []
        assert find_study(connection, jobs.study, frozenset({second.id})) is None


def test_a_study_knows_its_listings_by_their_revisions(jobs: StudyJobs, engine: Engine, source: Source) -> None:
    with engine.begin() as connection:
        connection.execute(text(LISTINGS), {"source": source.id})
    with jobs.units() as unit:
        found = unit.studies.candidates(source.taxonomy_id)
        assert [(c.key, c.revision_id, c.category, c.photo, c.reference) for c in found] == [
            ("l1", 11, "Home", None, "uploads/1/a"),
            ("l2", 12, "Home", None, None),
        ]
        assert found[0].attribution is None
        assert "Open Database License" in str(found[1].attribution)
        assert [c.name for c in unit.studies.contents([12, 99, 11])] == ["name 2", "", "name 1"]
        assert unit.studies.read(jobs.study).status is StudyStatus.RUNNING
        with pytest.raises(NotFound):
            unit.studies.read(99)


def test_old_studies_are_forgotten_but_never_the_last(
    jobs: StudyJobs, engine: Engine, units: UnitsOfWork, source: Source
) -> None:
    for verdict in (Feasibility.FEASIBLE, Feasibility.PROMISING):
        study_id = begin_study(engine, source.taxonomy_id)
        with units() as unit:
            unit.studies.conclude(study_id, verdict, {})
            unit.commit()
    with engine.begin() as connection:
        connection.execute(text("UPDATE studies SET ended_at = now() - interval '100 days'"))
    with units() as unit:
        assert unit.retention.expired_studies(101) == []
        assert unit.retention.expired_studies(99) == [jobs.study]
        unit.retention.delete_study(jobs.study)
        unit.commit()
    with engine.connect() as connection:
        assert [study.id for study in list_studies(connection, None)] == [study_id]
