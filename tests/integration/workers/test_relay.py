"""The relay with its sweep, the cap on jobs that are out, and priorities."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from pipeline.domain.job import Batch, Priority, Queue
from tests.integration.workers.conftest import Bench


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def test_relay_dies_between_sent_and_publish(bench: Bench) -> None:
    bench.post("a", "b")

    class Killed(BaseException):
        """The process ends: none of the relay's own handling runs."""

    def publish(_batch: Batch) -> None:
        raise Killed

    with pytest.raises(Killed):
        bench.relay(publish).send()
    assert bench.states() == ["sent", "sent"]
    bench.expire()
    published: list[Batch] = []
    next_relay = bench.relay(published.append)
    next_relay.sweep()
    assert next_relay.send() == 2
    bench.work(published[0])
    assert bench.states() == ["done", "done"]
    assert bench.value("SELECT max(attempt) FROM jobs") == 1


def test_publish_fails(bench: Bench) -> None:
    bench.post("a", "b", "c", "d", "e")

    def publish(_batch: Batch) -> None:
        raise ConnectionError("the broker is away")

    assert bench.relay(publish).send() == 0
    assert set(bench.states()) == {"waiting"}
    published: list[Batch] = []
    assert bench.relay(published.append).send() == 5


def test_notify_lost(bench: Bench) -> None:
    published: list[Batch] = []
    relay, stop = bench.relay(published.append), threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    try:
        until(lambda: relay.active)
        bench.post("a")
        until(lambda: len(published) == 1)
        # The job waits again without a NOTIFY, as if that had been lost.
        bench.run("UPDATE jobs SET state = 'waiting', deadline = NULL")
        until(lambda: len(published) >= 2)
    finally:
        stop.set()
        thread.join()


def test_two_relays(bench: Bench) -> None:
    sent: dict[str, list[Batch]] = {"one": [], "two": []}
    relays = {name: bench.relay(batches.append) for name, batches in sent.items()}
    stops = {name: threading.Event() for name in relays}
    threads = [threading.Thread(target=relay.run, args=(stops[name],)) for name, relay in relays.items()]
    for thread in threads:
        thread.start()
    try:
        until(lambda: any(relay.active for relay in relays.values()))
        bench.post(*"abcdefgh")
        until(lambda: sum(len(b.job_ids) for batches in sent.values() for b in batches) == 8)
        active = next(name for name, relay in relays.items() if relay.active)
        other = "two" if active == "one" else "one"
        assert not relays[other].active
        assert sent[other] == []
        stops[active].set()
        until(lambda: relays[other].active)
        bench.run("UPDATE jobs SET state = 'done', deadline = NULL")
        bench.post("later")
        until(lambda: sum(len(b.job_ids) for b in sent[other]) == 1)
    finally:
        for stop in stops.values():
            stop.set()
        for thread in threads:
            thread.join()


def test_the_active_relay_is_killed_and_the_standby_takes_over(bench: Bench) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, psycopg2, time\n"
            "c = psycopg2.connect(sys.argv[1]); c.autocommit = True\n"
            "c.cursor().execute('SELECT pg_advisory_lock(7206002)'); print('held', flush=True); time.sleep(600)",
            bench.context.settings.database_url.replace("postgresql+psycopg2", "postgresql"),
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    published: list[Batch] = []
    relay, stop = bench.relay(published.append), threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    try:
        bench.post("a")
        assert not relay.active
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        until(lambda: len(published) == 1)
    finally:
        stop.set()
        thread.join()
        holder.stdout.close()


def test_cap(bench: Bench) -> None:
    bench.post(*[f"n{n}" for n in range(40)])
    batches = bench.take()
    # Two slots, four listings a message, twice.
    assert sum(len(b.job_ids) for b in batches) == 16
    assert bench.take() == []
    assert bench.states().count("waiting") == 24
    bench.work(batches[0])
    assert sum(len(b.job_ids) for b in bench.take()) == 4


def test_nothing_is_sent_while_no_worker_lives(bench: Bench) -> None:
    bench.post("a")
    bench.run("UPDATE workers SET seen_at = now() - interval '1 hour'")
    assert bench.take() == []
    assert bench.states() == ["waiting"]


def test_priorities(bench: Bench) -> None:
    bench.post("backfill", priority=Priority.BACKFILL)
    bench.post("import", priority=Priority.IMPORT)
    bench.post("pipeline", priority=Priority.PIPELINE)
    bench.post("interactive", priority=Priority.INTERACTIVE)
    assert [b.priority for b in bench.take()] == [Priority.PIPELINE, Priority.IMPORT, Priority.BACKFILL]
    interactive = bench.take(Queue.INTERACTIVE)
    assert [(b.priority, len(b.job_ids)) for b in interactive] == [(Priority.INTERACTIVE, 1)]


def test_age_raises_priority(bench: Bench) -> None:
    bench.post("old", priority=Priority.BACKFILL)
    bench.run("UPDATE jobs SET created_at = now() - interval '1 hour'")
    bench.post("young", priority=Priority.PIPELINE)
    assert [b.priority for b in bench.take()] == [Priority.BACKFILL, Priority.PIPELINE]


def test_batches_stay_small_in_time(bench: Bench) -> None:
    bench.run("UPDATE workers SET seconds_per_listing = 0.2")
    bench.post(*"abcdef")
    assert {len(b.job_ids) for b in bench.take()} == {2}
