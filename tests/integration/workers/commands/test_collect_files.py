"""Exports and changes by command: a killed import ends as an undisturbed one; changes go on from run to run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from infra.sources.factory import open_source
from infra.store.imports.bulk_import import encode_rows
from pipeline.domain.import_run import ImportRun
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.steps.collect import CollectContext
from pipeline.steps.collect import collect as collect_in
from tests.benchmarks.bulk_export import write_export
from tests.integration.imports import query_import
from tests.integration.infra.sources.database_server import running_database
from tests.integration.records import add_source
from tests.integration.workers.conftest import Bench
from workers.cli import app

ROWS, PAGE = 1_200, 100
STATE = """
    SELECT l.external_id, r.number, r.fingerprint, p.address, p.categories, p.modified_at, i.reference, count(j.id)
    FROM sources s JOIN listings l ON l.source_id = s.id JOIN revisions r ON r.listing_id = l.id
    JOIN provenances p ON p.listing_id = l.id LEFT JOIN images i ON i.revision_id = r.id
    JOIN jobs j ON j.revision_id = r.id
    WHERE s.name = :source GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1
"""
VERDICTS = "SELECT number, external_id, verdict, reason, note FROM import_rows WHERE import_id = :id ORDER BY number"
COUNTS = """
    SELECT status, new, changed, unchanged, rejected, without_photo, complete, cursor - 'at' FROM imports WHERE id = :id
"""


def rows(bench: Bench, query: str, **parameters: Any) -> list[Any]:
    with bench.context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), parameters)]


def collect(environment: dict[str, str], *words: str) -> dict[str, Any]:
    """The command, in this process."""
    ended = CliRunner().invoke(app, ["collect", "openfoodfacts", *words, "--no-wait", "--json"], env=environment)
    assert ended.exit_code == 0, ended.output
    summary: dict[str, Any] = json.loads(ended.stdout)
    return summary


def test_a_killed_import_of_an_export_ends_as_an_undisturbed_one(
    bench: Bench, environment: dict[str, str], tmp_path: Path
) -> None:
    export = tmp_path / "export.jsonl.gz"
    write_export(export, ROWS)
    environment["RAYON_SOURCE_FILE_PAGE"] = str(PAGE)
    whole = collect(environment, "--export", str(export), "--source", "whole")
    assert (whole["rows"], whole["complete"]) == (ROWS, True)
    words = ("collect", "openfoodfacts", "--export", str(export), "--source", "killed", "--no-wait", "--json")
    running = subprocess.Popen(
        [sys.executable, "-m", "workers.cli", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not rows(
        bench, "SELECT 1 FROM imports WHERE new >= :rows AND id > :id", rows=3 * PAGE - 9, id=whole["import"]
    ):
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    running.kill()
    running.wait()
    ((stood,),) = rows(bench, "SELECT cursor ->> 'row' FROM imports WHERE id = :id", id=whole["import"] + 1)
    assert 0 < int(stood) < ROWS
    ended = collect(environment, "--export", str(export), "--source", "killed")
    assert ended["import"] == whole["import"] + 1
    assert rows(bench, COUNTS, id=ended["import"]) == rows(bench, COUNTS, id=whole["import"])
    assert rows(bench, VERDICTS, id=ended["import"]) == rows(bench, VERDICTS, id=whole["import"])
    assert rows(bench, STATE, source="killed") == rows(bench, STATE, source="whole")


def test_changes_begin_where_the_last_run_ended_unless_afresh(environment: dict[str, str]) -> None:
    with running_database(stock={"champagnes": 5}) as shop:
        environment["RAYON_SOURCES_ADDRESS"] = shop.address
        codes = list(shop.goods.products)
        shop.goods.publish_delta(codes[:3], 1_000, 2_000)
        assert collect(environment, "--changes")["new"] == 3
        shop.goods.change(codes[0], generic_name="Vin effervescent")
        shop.goods.publish_delta([codes[0], codes[4]], 2_000, 3_000)
        second = collect(environment, "--changes")
        assert (second["rows"], second["new"], second["changed"], second["complete"]) == (2, 1, 1, False)
        assert collect(environment, "--changes")["rows"] == 0
        assert collect(environment, "--changes", "--afresh")["rows"] == 5


def test_another_export_in_its_place_is_collected_from_its_beginning(
    bench: Bench, environment: dict[str, str], tmp_path: Path
) -> None:
    export = tmp_path / "export.jsonl.gz"
    write_export(export, 300)
    context = bench.context
    settings = context.settings.model_copy(update={"source_file_page": PAGE})
    query = ProductQuery(QueryKind.EXPORT, str(export))
    source = add_source(context.engine, "openfoodfacts")

    def stop(run: ImportRun) -> None:
        if run.row == 2 * PAGE:
            raise InterruptedError

    asked = open_source("openfoodfacts", settings)
    with (
        query_import(context.engine, source.id, query) as run,
        pytest.raises(InterruptedError),
    ):
        collect_in(CollectContext(context.units, asked, encode_rows, stop), query, source.id, run)
    write_export(export, 300, seed=1)
    ended = collect(environment, "--export", str(export))
    assert (ended["import"], ended["rows"], ended["complete"]) == (run.id, 300, True)
    assert ended["changed"] > 150
    assert len(rows(bench, VERDICTS, id=run.id)) == 300
