"""An import that was interrupted goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from PIL import Image

from infra.catalogue_files.catalogue import file_fingerprint
from infra.store.notify_channels import WAKE_CHANNEL
from tests.integration.imports import file_import
from tests.integration.records import add_source
from tests.integration.workers.commands.dying import CTRL_C, DATABASE_LOSS, MOMENTS
from tests.integration.workers.conftest import Bench

ROWS = 450
PAGE = 200
CLI, DYING = "workers.cli", "tests.integration.workers.commands.dying"
IMPORT = """
    SELECT status, total, new, changed, unchanged, rejected, without_photo, cursor, summary FROM imports WHERE id = {}
"""
JUDGED = "SELECT number, external_id, verdict, reason, note FROM import_rows WHERE import_id = {} ORDER BY number"
LISTINGS = """
    SELECT l.external_id, r.number, r.fingerprint, array_agg(i.reference), count(DISTINCT j.id)
    FROM listings l JOIN sources s ON s.id = l.source_id JOIN revisions r ON r.listing_id = l.id
    JOIN jobs j ON j.listing_id = l.id LEFT JOIN images i ON i.revision_id = r.id
    WHERE s.name = '{}' GROUP BY 1, 2, 3 ORDER BY 1
"""


@dataclass
class FileImport:
    """A catalogue of 450 rows with a photo each, some bad, and the command that imports it."""

    bench: Bench
    folder: Path
    file: Path

    @property
    def photos(self) -> Path:
        return self.folder / "photos"

    def environment(self) -> dict[str, str]:
        settings = self.bench.context.settings
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("RAYON_")},
            "DATABASE_URL": settings.database_url,
            "RAYON_HOME": str(settings.home),
            "SECRET_KEY": settings.secret_key,
            "OMP_NUM_THREADS": "1",
        }

    def command(self, source: str, *prefix: str) -> list[str]:
        words = ("import", str(self.file), "--images", str(self.photos), "--source", source, "--json")
        return [sys.executable, "-m", *prefix, *words, "--verdicts", str(self.verdicts(source))]

    def run(self, source: str, *prefix: str) -> subprocess.CompletedProcess[str]:
        command = self.command(source, *(prefix or (CLI,)))
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=200)

    def verdicts(self, source: str) -> Path:
        return self.folder / "verdicts" / f"{source}.csv"


@pytest.fixture
def shop(bench: Bench, tmp_path: Path) -> FileImport:
    (tmp_path / "photos").mkdir()
    lines = ["sku,name,category,image"]
    for number in range(1, ROWS + 1):
        name, ident = f"mug {number}", f"s{number}"
        if number == 7:
            ident = "i" * 300
        if number in (230, 440):  # the same id as rows before it, on other pages
            ident = "s3"
        if number % 50:
            Image.new("RGB", (4, 4), (number % 256, number // 256, 9)).save(tmp_path / "photos" / f"{number}.png")
        category = "kitchen >> MUGS" if number in (5, 210, 449) else "Kitchen >> Mugs"
        lines.append(f"{ident},{name},{category},{number}.png")
    file = tmp_path / "mugs.csv"
    file.write_text("\n".join(lines) + "\n")
    return FileImport(bench, tmp_path, file)


def same_as_undisturbed(shop: FileImport, source: str, import_id: int) -> None:
    """The end of an import into ``source``, photos put back, is that of an undisturbed one."""
    calm = shop.run("calm")
    assert calm.returncode == 0, calm.stderr
    undisturbed = json.loads(calm.stdout)["import"]
    bench = shop.bench
    assert bench.rows(IMPORT.format(import_id)) == bench.rows(IMPORT.format(undisturbed))
    assert bench.rows(JUDGED.format(import_id)) == bench.rows(JUDGED.format(undisturbed))
    assert bench.rows(LISTINGS.format(source)) == bench.rows(LISTINGS.format("calm"))
    assert shop.verdicts(source).read_text() == shop.verdicts("calm").read_text()
    left = {path.name for path in shop.verdicts(source).parent.iterdir()}
    assert left == {f"{source}.csv", "calm.csv"}, "nothing is left lying about"


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_import_killed_at_any_moment_goes_on_and_ends_as_an_undisturbed_one(shop: FileImport, moment: str) -> None:
    killed = shop.run("killed", DYING, moment, str(PAGE + 1))
    assert killed.returncode == -signal.SIGKILL
    ((import_id, status, had),) = shop.bench.rows(
        "SELECT id, status, coalesce((cursor ->> 'row')::int, 0) FROM imports"
    )
    assert status == "running"
    assert had == {0: PAGE, 1: PAGE, 2: 2 * PAGE, 3: ROWS, 4: ROWS}[MOMENTS.index(moment)]
    assert shop.bench.value("SELECT count(*) FROM import_rows") == had
    assert shop.verdicts("killed").exists() == (moment == "before the end")
    hidden = shop.folder / "hidden"
    hidden.mkdir()
    for photo in shop.photos.iterdir():
        if int(photo.stem) <= had:
            photo.rename(hidden / photo.name)
    resumed = shop.run("killed")
    assert resumed.returncode == 0, resumed.stderr
    assert f"continuing import {import_id} after row {had}" in resumed.stderr
    told = json.loads(resumed.stdout)
    assert (told["import"], told["rows"], told["new"], told["rejected"]) == (import_id, ROWS, ROWS - 3, 3)
    for photo in hidden.iterdir():
        photo.rename(shop.photos / photo.name)
    same_as_undisturbed(shop, "killed", import_id)


def test_an_import_killed_from_outside_while_it_works_goes_on(shop: FileImport) -> None:
    url = shop.bench.context.settings.database_url.replace("+psycopg2", "")
    listener = psycopg2.connect(url)
    listener.autocommit = True
    listener.cursor().execute(f"LISTEN {WAKE_CHANNEL}")
    process = subprocess.Popen(
        shop.command("killed", CLI), env=shop.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert select.select([listener], [], [], 100)[0], "the first page is committed"
    process.kill()
    assert process.wait() == -signal.SIGKILL
    listener.close()
    resumed = shop.run("killed")
    assert resumed.returncode == 0, resumed.stderr
    same_as_undisturbed(shop, "killed", json.loads(resumed.stdout)["import"])
    assert shop.bench.value("SELECT count(*) FROM imports") == 2


def test_a_file_that_changed_in_between_starts_afresh(shop: FileImport) -> None:
    assert shop.run("killed", DYING, "after the commit", "1").returncode == -signal.SIGKILL
    with shop.file.open("a") as stream:
        stream.write("s9999,one more mug,Kitchen >> Mugs,\n")
    again = shop.run("killed")
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert (told["rows"], told["unchanged"], told["new"]) == (ROWS + 1, PAGE - 1, ROWS + 1 - 3 - (PAGE - 1))
    assert shop.bench.rows("SELECT status, note FROM imports ORDER BY id") == [
        ("failed", "interrupted"),
        ("done", None),
    ]
    twice = shop.run("killed")
    assert json.loads(twice.stdout)["unchanged"] == ROWS + 1 - 3, "one that ended well is not gone on with"


def test_an_import_that_lost_the_database_says_so_and_goes_on(shop: FileImport) -> None:
    lost = shop.run("killed", DYING, DATABASE_LOSS, str(PAGE + 1))
    assert lost.returncode == 2
    assert "Traceback" not in lost.stderr
    assert "the database does not answer" in lost.stderr
    resumed = shop.run("killed")
    assert resumed.returncode == 0, resumed.stderr
    same_as_undisturbed(shop, "killed", json.loads(resumed.stdout)["import"])


def test_ctrl_c_says_that_the_same_command_goes_on(shop: FileImport) -> None:
    stopped = shop.run("killed", DYING, CTRL_C, str(PAGE + 1))
    assert stopped.returncode == 130
    assert "the same command continues from there" in stopped.stderr
    assert shop.bench.rows("SELECT status, note FROM imports") == [("failed", "interrupted")]
    resumed = shop.run("killed")
    assert resumed.returncode == 0, resumed.stderr
    same_as_undisturbed(shop, "killed", json.loads(resumed.stdout)["import"])


@pytest.mark.usefixtures("monkeypatch")
def test_two_of_the_same_at_a_time_are_one_and_a_refusal(shop: FileImport) -> None:
    engine = shop.bench.context.engine
    source = add_source(engine, "killed")
    fingerprint = file_fingerprint(shop.file, {}, shop.photos)
    with file_import(engine, source.id, fingerprint, shop.file.name) as run:
        refused = shop.run("killed")
        assert refused.returncode == 2
        assert f"already running, as import {run.id}" in refused.stderr
    assert shop.run("killed").returncode == 0
    assert shop.bench.rows("SELECT id, status FROM imports") == [(run.id, "done")]
