"""Weights fetched unasked: once at a time, later each time, told once, and never again once they are there."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from infra.settings import read_settings
from infra.storage.weights_ledger import WeightsLedger
from pipeline.domain.errors import TransientFailure
from tests.integration.infra.safe_fetch.file_host import running_file_host
from tests.integration.workers.conftest import Bench
from workers import background_weights
from workers.background_weights import FETCH_LOCK, BackgroundFetch, fetch_by_command, start_fetching
from workers.bootstrap import build
from workers.doctor_checks import check_weights

NOWHERE = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
CLOSED = "the weights of vgg16 cannot be fetched: the network is closed"


class Publisher:
    """Fetches as told: the reasons of failures one after the other, then success."""

    def __init__(self, bench: Bench, *reasons: str) -> None:
        self.bench = bench
        self.reasons = list(reasons)
        self.asked: list[str] = []

    def __call__(self, name: str) -> str | None:
        self.asked.append(name)
        if self.reasons:
            return self.reasons.pop(0)
        file = self.bench.context.settings.home / "w.h5"
        file.write_bytes(b"weights")
        self.bench.context.registry.add_weights(name, file)
        return None


def make_due(bench: Bench) -> None:
    """As if the time of the next try had come."""
    key = "weights/vgg16/failed.json"
    failed = json.loads(bench.context.storage.get(key))
    bench.context.storage.put(key, json.dumps({**failed, "at": 0}).encode())


def test_a_closed_network_is_told_once_and_asked_again_later(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "workers.background_weights")
    publisher = Publisher(bench, CLOSED, CLOSED)
    for _ in range(3):  # beats that start one after the other, or the looks of one
        assert BackgroundFetch(bench.context, ["vgg16"], publisher).look() == ["vgg16"]
    assert publisher.asked == ["vgg16"]
    make_due(bench)
    assert BackgroundFetch(bench.context, ["vgg16"], publisher).look() == ["vgg16"]
    assert publisher.asked == ["vgg16"] * 2
    assert [record.getMessage() for record in caplog.records] == [f"{CLOSED}; everything else goes on without them"]
    failed = WeightsLedger(bench.context.storage).failed("vgg16")
    assert failed is not None
    assert failed.next_at - failed.at == 1200
    told = {check.name: check for check in check_weights(bench.context)}
    assert told["weights vgg16"].found.startswith(f"{CLOSED}; tried again after ")
    assert "rayon models fetch squeezenet" in told["weights squeezenet"].found
    assert "rayon models add sentence" in told["weights sentence"].found
    assert {check.good for check in told.values()} == {None}


def test_the_thread_ends_when_all_are_there(bench: Bench) -> None:
    publisher = Publisher(bench)
    for _ in range(2):
        thread = BackgroundFetch(bench.context, ["vgg16", "squeezenet"], publisher)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    assert publisher.asked == ["vgg16", "squeezenet"]
    told = {check.name: check.found for check in check_weights(bench.context)}
    assert told["weights vgg16"] == "the weights of vgg16 are there"


def test_one_process_fetches_at_a_time(bench: Bench) -> None:
    publisher = Publisher(bench)
    with bench.context.engine.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": FETCH_LOCK})
        assert BackgroundFetch(bench.context, ["vgg16"], publisher).look() == ["vgg16"]
        assert publisher.asked == []
        other.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": FETCH_LOCK})
    assert BackgroundFetch(bench.context, ["vgg16"], publisher).look() == []


def test_a_broken_record_does_not_end_the_thread(bench: Bench) -> None:
    def broken(name: str) -> str | None:
        failures.append(name)
        if len(failures) == 1:
            with bench.context.engine.connect() as connection:
                connection.execute(text("SELECT nothing"))
        return publisher(name)

    failures: list[str] = []
    publisher = Publisher(bench)
    thread = BackgroundFetch(bench.context, ["vgg16"], broken, look_every=0.01)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert len(failures) == 2


def test_the_settings_name_what_is_fetched(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(bench)
    monkeypatch.setattr(background_weights, "fetch_by_command", publisher)
    settings = bench.context.settings.model_copy(update={"fetch_weights": "squeezenet, vgg16"})
    thread = start_fetching(replace(bench.context, settings=settings))
    assert thread is not None
    thread.join(20)
    assert publisher.asked == ["squeezenet", "vgg16"]
    assert read_settings({"DATABASE_URL": NOWHERE}).weights_to_fetch() == ("vgg16",)


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    given = {"DATABASE_URL": NOWHERE, "RAYON_HOME": str(tmp_path)}
    for setting in ("none", "off", " , "):
        context = build(read_settings({**given, "RAYON_FETCH_WEIGHTS": setting}))
        assert context.settings.weights_to_fetch() == ()
        assert start_fetching(context) is None


def test_the_command_gives_its_reason_in_one_sentence(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", bench.context.settings.database_url)
    monkeypatch.setenv("RAYON_HOME", str(bench.context.settings.home))
    with running_file_host(b"") as proxy:  # no one else is asked: every way leads to a proxy that lets nobody through
        monkeypatch.setenv("https_proxy", proxy.address.removesuffix("/weights.h5"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        said = fetch_by_command("vgg16")
    assert said is not None
    assert said.startswith("the weights of vgg16 cannot be fetched: storage.googleapis.com cannot be reached (")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("end", "said"), [("kill -TERM $$", None), ("echo odd >&2; exit 3", "odd"), ("exit 3", "it ended with 3")]
)
def test_a_fetch_that_was_stopped_is_no_failure(monkeypatch: pytest.MonkeyPatch, end: str, said: str | None) -> None:
    monkeypatch.setattr(background_weights, "launch_command", lambda words, signal, nice: ["sh", "-c", end])
    if said is not None:
        assert fetch_by_command("vgg16") == said
        return
    with pytest.raises(TransientFailure, match="was stopped"):
        fetch_by_command("vgg16")
