"""What status, doctor and migrate say when something is not as it should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from sqlalchemy import create_engine, make_url, text

from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import Bench


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


def test_a_database_that_cannot_keep_every_text_is_refused(bench: Bench) -> None:
    url = make_url(bench.house.settings.database_url)
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
        assert done.stderr.startswith("rayon: the database keeps text as LATIN1")
        assert "ENCODING 'UTF8'" in done.stderr
    finally:
        with server.connect() as connection:
            connection.execute(text("DROP DATABASE narrow"))
        server.dispose()
