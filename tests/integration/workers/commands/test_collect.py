"""Products of a database by command: what is taken in, what a second run does, and what a killed one leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from pipeline.domain.errors import InvalidInput, NotFound
from tests.integration.infra.sources.database_server import DatabaseServer, running_database
from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import Bench
from workers.cli import app

WINDOW = 0.6  # the shop's minute, in seconds
STATE = """
    SELECT l.external_id, r.number, r.fingerprint, p.address, p.categories, i.reference, count(j.id)
    FROM sources s JOIN listings l ON l.source_id = s.id JOIN revisions r ON r.listing_id = l.id
    JOIN provenances p ON p.listing_id = l.id JOIN images i ON i.revision_id = r.id JOIN jobs j ON j.revision_id = r.id
    WHERE s.name = :source GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1
"""
VERDICTS = "SELECT number, external_id, verdict, reason, note FROM import_rows WHERE import_id = :id ORDER BY number"
WRITTEN = "SELECT max(xmin::text::bigint) FROM {}"
FAR_ENOUGH = "SELECT 1 FROM imports WHERE new >= :rows AND id > :id"
KEPT = ("listings", "revisions", "images", "jobs", "provenances")


@pytest.fixture
def shop(environment: dict[str, str]) -> Iterator[DatabaseServer]:
    with running_database(window=WINDOW) as shop:
        environment |= {
            "RAYON_SOURCES_ADDRESS": shop.address,
            "RAYON_SOURCE_MINUTE": str(WINDOW),
            "RAYON_FETCH_ALLOW_PRIVATE": "true",
        }
        yield shop


def rows(bench: Bench, query: str, **parameters: Any) -> list[Any]:
    with bench.context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), parameters)]


def collect(rayon: Run, *words: str) -> dict[str, Any]:
    ended = rayon("collect", "openfoodfacts", *words, "--no-wait", "--json")
    assert ended.returncode == 0, ended.stderr
    summary: dict[str, Any] = json.loads(ended.stdout)
    return summary


@pytest.mark.usefixtures("shop")
def test_ten_champagnes_become_listings_and_a_second_run_writes_nothing(rayon: Run, bench: Bench) -> None:
    asked = ("--category", "champagnes", "--limit", "10")
    first = collect(rayon, *asked)
    assert (first["rows"], first["new"], first["rejected"]) == (10, 10, 0)
    assert "Open Database License" in first["licence"]["attribution"]
    state = rows(bench, STATE, source="openfoodfacts")
    assert len(state) == 10
    written = [rows(bench, WRITTEN.format(table)) for table in KEPT]

    second = collect(rayon, *asked)
    assert (second["rows"], second["unchanged"]) == (10, 10)
    assert (second["complete"], second["vanished"]) == (False, None), "its limit cut it"
    assert rows(bench, STATE, source="openfoodfacts") == state
    assert [rows(bench, WRITTEN.format(table)) for table in KEPT] == written


@pytest.mark.usefixtures("shop")
def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(
    rayon: Run, bench: Bench, environment: dict[str, str]
) -> None:
    environment |= {"RAYON_SOURCE_PAGE_SIZE": "4", "RAYON_SOURCE_SEARCHES": "1"}
    whole = collect(rayon, "--category", "champagnes", "--source", "whole")
    words = ("collect", "openfoodfacts", "--category", "champagnes", "--source", "killed", "--no-wait", "--json")
    for page in (1, 3):
        running = subprocess.Popen(
            [sys.executable, "-m", "workers.cli", *words],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not rows(
            bench, "SELECT 1 FROM imports WHERE new >= :rows AND id > :id", rows=4 * page, id=whole["import"]
        ):
            assert running.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        running.kill()
        running.wait()
    ended = collect(rayon, "--category", "champagnes", "--source", "killed")
    assert ended["import"] == whole["import"] + 1
    assert (ended["rows"], ended["new"]) == (whole["rows"], whole["new"]) == (24, 24)
    assert rows(bench, VERDICTS, id=ended["import"]) == rows(bench, VERDICTS, id=whole["import"])
    assert rows(bench, STATE, source="killed") == rows(bench, STATE, source="whole")


@pytest.fixture
def said(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command of this process says: for what needs no process of its own, which takes a second or two."""

    def run(*words: str) -> str:
        for name, setting in environment.items():
            monkeypatch.setenv(name, setting)
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return run


def test_a_mistake_is_told_in_a_sentence(rayon: Run) -> None:
    ended = rayon("collect", "openfoodfact", "--category", "champagnes")
    assert ended.returncode == 2
    assert "there is no product database 'openfoodfact'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "by one of --category, --text, --barcodes, --export and --changes"),
        (("--category", "teas", "--every", "often"), "'often' is not a schedule; write a cron line"),
        (("--category", "teas", "--every", "60", "--dry-run"), "--every is for later"),
        (("--category", "teas", "--verdicts", "."), "name another file with --verdicts"),
        (("--export", "none.gz"), "there is no file"),
    ],
)
def test_what_cannot_be_collected_is_told_by_name(
    said: Callable[..., str], words: tuple[str, ...], told: str, bench: Bench
) -> None:
    with pytest.raises(InvalidInput, match=told):
        said("collect", "openfoodfacts", *words)
    assert bench.value("SELECT count(*) FROM collections") == 0


@pytest.mark.usefixtures("shop", "bench")
def test_the_verdict_of_every_row_is_written(said: Callable[..., str], tmp_path: Path) -> None:
    target = tmp_path / "verdicts.csv"
    told = said(
        *("collect", "openfoodfacts", "--category", "champagnes", "--limit", "10", "--no-wait"),
        *("--verdicts", str(target)),
    )
    assert f"verdict on every row: {target}" in told
    written = target.read_text(encoding="utf-8").splitlines()
    assert len(written) == 11
    assert all(",new," in line for line in written[1:])


def test_a_collection_is_kept_listed_and_changed_by_commands(bench: Bench, said: Callable[..., str]) -> None:
    asked = ("collect", "openfoodfacts", "--category", "champagnes", "--limit", "10", "--source", "tests")
    kept = said(*asked, "--every", "0 3 * * *")
    assert "collection 1 of source 'tests' runs by '0 3 * * *', next at" in kept
    assert "the taxonomy 'tests' has no model yet" in kept
    assert bench.value("SELECT count(*) FROM imports") == 0
    assert "'every 3600'" in said(*asked, "--every", "3600")
    for words, told in (
        (("pause", "1"), "collection 1: paused"),
        (("list",), "category champagnes, at most 10"),
        (("resume", "1"), "collection 1: 20"),
        (("run", "1"), "import 1 has started"),
        (("run", "1"), "import 1 is already running"),
        (("list",), "1 (running)"),
        (("list", "--json"), '"last_import_id": 1'),
        (("remove", "1"), "collection 1 is removed"),
        (("list",), "there is no collection yet"),
    ):
        assert told in said("collections", *words)
    with pytest.raises(NotFound, match="there is no collection 1"):
        said("collections", "pause", "1")
