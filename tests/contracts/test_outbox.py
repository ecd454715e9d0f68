"""What use cases may expect of the outbox: jobs are sent, swept, given up and replayed."""

from __future__ import annotations

import pytest

from pipeline.domain.job import AnnouncedWorker, JobKind, Priority, Queue, SweepCounts
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.dead_letters import replay
from pipeline.steps.intake import withdraw
from tests.contracts.contract_store import ContractStore
from tests.contracts.queues import FLOW, LEASE, announce, claim, claim_all, post, sweep, take


def states(store: ContractStore) -> list[str]:
    return [job.state for job in store.jobs()]


def test_adding_jobs_wakes_the_relay_when_the_unit_commits(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    with units() as unit:
        listing = unit.listings.lock(source.id, ["a"])["a"]
        unit.commit()
    assert not store.relay_was_woken()
    (revision,) = post(units, source, "b")
    assert store.relay_was_woken()
    with units() as unit:
        unit.outbox.supersede([listing.listing_id], "a newer revision")
        unit.commit()
    assert not store.relay_was_woken()
    with units() as unit:
        unit.outbox.supersede([listing.listing_id], "a newer revision")
        unit.outbox.add([], [], Priority.PIPELINE)
        assert not store.relay_was_woken(), "nothing is committed yet"
    assert not store.relay_was_woken(), "the unit was rolled back"
    assert revision


def test_only_living_workers_make_room(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    post(units, source, *(f"{n}" for n in range(40)))
    assert take(units) == []
    announce(units, slots=2)
    assert store.relay_was_woken()
    batches = take(units)
    # Twice what two slots hold, in messages of at most ``batch_limit``.
    assert [len(batch.job_ids) for batch in batches] == [4, 4, 4, 4]
    assert take(units) == []
    claim(units, batches[0].job_ids)
    assert take(units) == [], "a claimed job is still out"
    store.pass_time(FLOW.worker_timeout + 1)
    sweep(units)
    assert take(units) == []


def test_room_for_one_job_is_used(units: UnitsOfWork, source: Source) -> None:
    announce(units, Queue.INTERACTIVE, slots=1)
    post(units, source, "a", "b", "c", priority=Priority.INTERACTIVE)
    first, _ = take(units, Queue.INTERACTIVE)
    with units() as unit:
        unit.outbox.requeue(first.job_ids)
        unit.commit()
    assert len(take(units, Queue.INTERACTIVE)) == 1


def test_a_message_carries_half_a_second_of_work(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    post(units, source, *(f"{n}" for n in range(20)))
    announce(units)
    with units() as unit:
        unit.workers.report_speed("worker-categorise", 0.25)
        unit.commit()
    assert [len(batch.job_ids) for batch in take(units)] == [2] * 4 * 2
    with units() as unit:
        unit.workers.remove("worker-categorise")
        unit.commit()
    assert states(store).count("sent") == 16


def test_speeds_are_averaged_over_time(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    post(units, source, "a", "b", "c", "d", "e")
    announce(units)
    for seconds in (0.1, 0.5):
        with units() as unit:
            unit.workers.report_speed("worker-categorise", seconds)
            unit.commit()
    # 0.7 of 0.1 s and 0.3 of 0.5 s: 0.22 s a listing.
    assert [len(batch.job_ids) for batch in take(units)] == [2, 2, 1]
    assert store.relay_was_woken()


def test_urgent_jobs_go_first_and_age_lifts_the_others(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    post(units, source, "old", priority=Priority.BACKFILL)
    store.pass_time(FLOW.ageing * 1.5)
    post(units, source, "import", priority=Priority.IMPORT)
    post(units, source, "pipeline", priority=Priority.PIPELINE)
    announce(units)
    order = [batch.priority for batch in take(units)]
    assert order == [Priority.PIPELINE, Priority.BACKFILL, Priority.IMPORT]


def test_interactive_listings_have_a_queue_of_their_own_and_travel_alone(units: UnitsOfWork, source: Source) -> None:
    announce(units)
    announce(units, Queue.INTERACTIVE)
    post(units, source, "a", "b", priority=Priority.INTERACTIVE)
    assert take(units) == []
    batches = take(units, Queue.INTERACTIVE)
    assert [(batch.kind, len(batch.job_ids)) for batch in batches] == [(JobKind.CATEGORISE, 1)] * 2


def test_what_could_not_be_published_waits_again(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    announce(units)
    post(units, source, "a", "b")
    (batch,) = take(units)
    claim(units, batch.job_ids[:1])
    with units() as unit:
        unit.outbox.requeue(batch.job_ids)
        unit.commit()
    assert states(store) == ["leased", "waiting"], "a claim is not undone"


def test_a_sent_job_that_is_never_claimed_waits_again(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    announce(units)
    post(units, source, "a")
    take(units)
    assert sweep(units) == SweepCounts()
    store.pass_time(FLOW.sent_deadline + 1)
    assert sweep(units) == SweepCounts(unclaimed=1)
    assert states(store) == ["waiting"]


def test_a_death_in_company_is_not_counted_and_the_next_attempt_is_alone(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    post(units, source, "a", "b")
    jobs = claim_all(units)
    assert len(jobs) == 2
    store.pass_time(LEASE + 1)
    assert sweep(units) == SweepCounts(died=2)
    assert {store.job(job.job_id).worker for job in jobs} == {None}
    announce(units)
    assert [len(batch.job_ids) for batch in take(units)] == [1, 1]
    assert [outcome for _, outcome, _ in store.attempts()] == ["died", "died"]


def test_a_job_that_dies_alone_too_often_is_given_up(store: ContractStore, units: UnitsOfWork, source: Source) -> None:
    post(units, source, "a")
    for died in (SweepCounts(died=1), SweepCounts(died=1), SweepCounts(died=1, dead=1)):
        assert len(claim_all(units)) == 1
        store.pass_time(LEASE + 1)
        assert sweep(units) == died
    assert states(store) == ["dead"]
    ((_, _, reason, replayed),) = store.dead_letters()
    assert (reason, replayed) == ("its worker died 2 times while working on it alone", False)


@pytest.mark.parametrize("by_reason", [True, False])
def test_a_replayed_job_begins_with_a_clean_slate(
    store: ContractStore, units: UnitsOfWork, source: Source, *, by_reason: bool
) -> None:
    test_a_job_that_dies_alone_too_often_is_given_up(store, units, source)
    ((letter_id, job_id, _, _),) = store.dead_letters()
    assert replay(units, [letter_id + 1]) == 0
    assert replay(units, None, "another reason") == 0
    assert store.relay_was_woken()
    assert replay(units, None if by_reason else [letter_id], "WORKER died" if by_reason else None) == 1
    assert store.relay_was_woken()
    assert store.job(job_id)[:4] == ("waiting", 3, 0, "replayed")
    assert [replayed for *_, replayed in store.dead_letters()] == [True]
    assert len(claim_all(units)) == 1
    store.pass_time(LEASE + 1)
    assert sweep(units) == SweepCounts(died=1), "the deaths before the replay are forgotten"


def test_a_dead_job_of_an_older_revision_is_not_done_again(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    test_a_job_that_dies_alone_too_often_is_given_up(store, units, source)
    with units() as unit:
        listing_id = unit.listings.current(source.id, ["a"])["a"].listing_id
    withdraw(units, listing_id)
    assert replay(units) == 0
    assert states(store) == ["superseded"]


def test_of_several_letters_of_a_revision_only_the_latest_is_done_again(
    store: ContractStore, units: UnitsOfWork, source: Source
) -> None:
    test_a_job_that_dies_alone_too_often_is_given_up(store, units, source)
    with units() as unit:
        current = unit.listings.current(source.id, ["a"])["a"]
        assert current.revision_id is not None
        unit.outbox.add([current.listing_id], [current.revision_id], Priority.PIPELINE)
        unit.commit()
    assert replay(units) == 0, "its revision has an open job"
    for _ in range(3):
        claim_all(units)
        store.pass_time(LEASE + 1)
        sweep(units)
    assert states(store) == ["dead", "dead"]
    assert replay(units) == 1
    assert states(store) == ["superseded", "waiting"]
    assert [replayed for *_, replayed in store.dead_letters()] == [True, True]


def test_an_announced_worker_wakes_the_relay_once(store: ContractStore, units: UnitsOfWork) -> None:
    worker = AnnouncedWorker("collect-1", "collect", Queue.COLLECTING, slots=1)
    for woken in (True, False):
        with units() as unit:
            unit.workers.announce(worker)
            unit.commit()
        assert store.relay_was_woken() is woken


def test_a_worker_that_was_gone_for_an_hour_is_forgotten_when_another_arrives(
    store: ContractStore, units: UnitsOfWork
) -> None:
    announce(units, name="old")
    store.pass_time(1800)
    announce(units, name="recent")
    store.pass_time(1801)
    announce(units, name="new")
    assert store.workers() == ["new-categorise", "recent-categorise"]


def test_the_relay_can_be_woken_without_a_job(store: ContractStore, units: UnitsOfWork) -> None:
    with units() as unit:
        unit.outbox.wake_relay()
        unit.commit()
    assert store.relay_was_woken()
