"""What status, doctor and migrate say when something is not as it should be, and that their advice mends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from sqlalchemy import create_engine, make_url, text

from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.steps.intake import accept
from tests.integration.records import add_model
from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import KINDS, Bench
from tests.integration.workers.test_unreadable_model import work_through


def test_a_model_this_version_cannot_read_is_named_with_what_to_do(rayon: Run, bench: Bench) -> None:
    bench.add_model()
    healthy = json.loads(rayon("doctor", "--json").stdout)
    assert "model of tests" not in [check["name"] for check in healthy["checks"]]
    bench.run("UPDATE model_versions SET problem = 'saved by version 1, expected 2'")
    remedy = "rayon train --taxonomy 'tests' --promote"
    wrong = {check["name"]: check for check in json.loads(rayon("doctor", "--json").stdout)["checks"]}
    assert (wrong["model of tests"]["good"], wrong["model of tests"]["remedy"]) == (False, remedy)
    assert "saved by version 1, expected 2" in wrong["model of tests"]["found"]
    told = rayon("status").stdout
    assert "cannot read it, and its listings wait: saved by version 1, expected 2" in told
    assert remedy in told
    assert "cannot read it: saved by version 1" in rayon("models", "show", "1").stdout


def test_a_training_mends_what_another_version_left(rayon: Run, bench: Bench) -> None:
    """As after an upgrade: the saved extractor names a version that this program does not read."""
    files = dict(bench.version.model.files())
    state = json.loads(files["extractor_tfidf.json"])
    files["extractor_tfidf.json"] = json.dumps(state | {"version": 0}).encode()
    digests = bench.context.registry.save("older", files)
    manifest = {**bench.version.manifest, "files": dict(digests), "artefacts": "older"}
    add_model(bench.context.engine, bench.source.taxonomy_id, manifest)
    for category, words in KINDS.items():
        contents = [Content(name=f"{words[n % len(words)]} number {n}", seller_category=category) for n in range(16)]
        submissions = [Submission(f"{category} {n}", content) for n, content in enumerate(contents)]
        accept(bench.context.units, bench.source.id, submissions, Priority.IMPORT)
    work_through(bench)
    assert set(bench.states()) == {"waiting"}
    assert "version 0" in bench.value("SELECT problem FROM model_versions")
    trained = rayon("train", "--taxonomy", "tests", "--promote", "--here", "--no-wait", "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["requeued"] == 32
    work_through(bench)
    deciders = "SELECT m.number, count(*) FROM decisions d JOIN model_versions m ON m.id = d.model_id GROUP BY 1"
    assert bench.rows(deciders) == [(2, 32)]
    assert bench.rows("SELECT DISTINCT state, failures FROM jobs WHERE kind = 'categorise'") == [("done", 0)]


def test_a_database_that_cannot_keep_every_text_is_refused(bench: Bench) -> None:
    url = make_url(bench.context.settings.database_url)
    server = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS narrow"))
        connection.execute(text("CREATE DATABASE narrow ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"))
    try:
        address = url.set(database="narrow").render_as_string(hide_password=False)
        done = subprocess.run(
            [sys.executable, "-m", "workers.cli", "migrate"],
            env={**os.environ, "DATABASE_URL": address},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("rayon: the database encodes text as LATIN1")
        assert "ENCODING 'UTF8'" in done.stderr
    finally:
        with server.connect() as connection:
            connection.execute(text("DROP DATABASE narrow"))
        server.dispose()
