"""Background fetches: one at a time, with growing delays, logged once, and never of installed weights."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from infra.settings import read_settings
from infra.storage.weights_fetch_log import WeightsFetchLog
from pipeline.domain.errors import TransientFailure
from tests.integration.infra.safe_fetch.file_host import running_file_host
from tests.integration.workers.conftest import Bench
from workers import background_weights_fetch
from workers.background_weights_fetch import FETCH_LOCK, BackgroundFetch, fetch_by_command, start_fetching
from workers.bootstrap import build
from workers.commands.doctor import check_weights

NOWHERE = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
CLOSED = "the weights of vgg16 cannot be fetched: the network is closed"


class Publisher:
    """Fails with the given reasons, one after the other, then succeeds."""

    def __init__(self, bench: Bench, *reasons: str) -> None:
        self.bench = bench
        self.reasons = list(reasons)
        self.requests: list[str] = []

    def __call__(self, name: str) -> str | None:
        self.requests.append(name)
        if self.reasons:
            return self.reasons.pop(0)
        file = self.bench.context.settings.home / "w.h5"
        file.write_bytes(b"weights")
        self.bench.context.registry.add_weights(name, file)
        return None


def make_due(bench: Bench) -> None:
    """Make the next try due."""
    key = "weights/vgg16/failed.json"
    failed = json.loads(bench.context.storage.get(key))
    bench.context.storage.put(key, json.dumps({**failed, "at": 0}).encode())


def test_a_closed_network_is_logged_once_and_tried_again_later(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "workers.background_weights_fetch")
    publisher = Publisher(bench, CLOSED, CLOSED)
    for _ in range(3):  # beats that start one after the other, or the rounds of one
        assert BackgroundFetch(bench.context, ["vgg16"], publisher).fetch_missing() == ["vgg16"]
    assert publisher.requests == ["vgg16"]
    make_due(bench)
    assert BackgroundFetch(bench.context, ["vgg16"], publisher).fetch_missing() == ["vgg16"]
    assert publisher.requests == ["vgg16"] * 2
    assert [record.getMessage() for record in caplog.records] == [f"{CLOSED}; everything else works without them"]
    failed = WeightsFetchLog(bench.context.storage).failed("vgg16")
    assert failed is not None
    assert failed.next_fetch_at - failed.failed_at == 1200
    checks = {check.name: check for check in check_weights(bench.context)}
    assert checks["weights vgg16"].found.startswith(f"{CLOSED}; tried again after ")
    assert "rayon models fetch squeezenet" in checks["weights squeezenet"].found
    assert "rayon models add sentence" in checks["weights sentence"].found
    assert {check.good for check in checks.values()} == {None}


def test_the_thread_ends_when_all_weights_are_installed(bench: Bench) -> None:
    publisher = Publisher(bench)
    for _ in range(2):
        thread = BackgroundFetch(bench.context, ["vgg16", "squeezenet"], publisher)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    assert publisher.requests == ["vgg16", "squeezenet"]
    checks = {check.name: check.found for check in check_weights(bench.context)}
    assert checks["weights vgg16"] == "the weights of vgg16 are installed"


def test_one_process_fetches_at_a_time(bench: Bench) -> None:
    publisher = Publisher(bench)
    with bench.context.engine.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": FETCH_LOCK})
        assert BackgroundFetch(bench.context, ["vgg16"], publisher).fetch_missing() == ["vgg16"]
        assert publisher.requests == []
        other.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": FETCH_LOCK})
    assert BackgroundFetch(bench.context, ["vgg16"], publisher).fetch_missing() == []


def test_a_database_error_does_not_end_the_thread(bench: Bench) -> None:
    def broken(name: str) -> str | None:
        failures.append(name)
        if len(failures) == 1:
            with bench.context.engine.connect() as connection:
                connection.execute(text("SELECT nothing"))
        return publisher(name)

    failures: list[str] = []
    publisher = Publisher(bench)
    thread = BackgroundFetch(bench.context, ["vgg16"], broken, check_every=0.01)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert len(failures) == 2


def test_the_settings_name_the_weights_to_fetch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(bench)
    monkeypatch.setattr(background_weights_fetch, "fetch_by_command", publisher)
    settings = bench.context.settings.model_copy(update={"fetch_weights": "squeezenet, vgg16"})
    thread = start_fetching(replace(bench.context, settings=settings))
    assert thread is not None
    thread.join(20)
    assert publisher.requests == ["squeezenet", "vgg16"]
    assert read_settings({"DATABASE_URL": NOWHERE}).weights_to_fetch() == ("vgg16",)


def test_background_fetches_can_be_switched_off(tmp_path: Path) -> None:
    given = {"DATABASE_URL": NOWHERE, "RAYON_HOME": str(tmp_path)}
    for setting in ("none", "off", " , "):
        context = build(read_settings({**given, "RAYON_FETCH_WEIGHTS": setting}))
        assert context.settings.weights_to_fetch() == ()
        assert start_fetching(context) is None


def test_the_command_gives_its_reason_in_one_sentence(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", bench.context.settings.database_url)
    monkeypatch.setenv("RAYON_HOME", str(bench.context.settings.home))
    with running_file_host(b"") as proxy:  # every request goes to a proxy that refuses it
        monkeypatch.setenv("https_proxy", proxy.address.removesuffix("/weights.h5"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        problem = fetch_by_command("vgg16")
    assert problem is not None
    assert problem.startswith("the weights of vgg16 cannot be fetched: storage.googleapis.com cannot be reached (")
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("script", "problem"), [("kill -TERM $$", None), ("echo odd >&2; exit 3", "odd"), ("exit 3", "it ended with 3")]
)
def test_a_fetch_that_was_stopped_is_not_a_failure(
    monkeypatch: pytest.MonkeyPatch, script: str, problem: str | None
) -> None:
    monkeypatch.setattr(background_weights_fetch, "launch_command", lambda *_, **__: ["sh", "-c", script])
    if problem is not None:
        assert fetch_by_command("vgg16") == problem
        return
    with pytest.raises(TransientFailure, match="was stopped"):
        fetch_by_command("vgg16")
