"""Imports by command: listed, shown with what they changed, and what vanished withdrawn."""

from __future__ import annotations

import json

from tests.integration.imports import run_query
from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import Bench


def test_imports_are_listed_shown_and_what_vanished_is_withdrawn(rayon: Run, bench: Bench) -> None:
    engine = bench.context.engine
    assert "there are no imports" in rayon("imports", "list").stdout
    run_query(engine, bench.source, {"1": "Brut", "2": "Rosé", "3": "Sec"})
    second = run_query(engine, bench.source, {"1": "Brut", "2": "Rosé 2024", "4": "Doux", "5": ""})
    listed = json.loads(rayon("imports", "list", "--json").stdout)
    assert [(one["id"], one["vanished"]) for one in listed] == [(second, 1), (second - 1, None)]
    assert "openfoodfacts: category champagnes" in rayon("imports", "list").stdout

    told = rayon("imports", "show", str(second), "--diff").stdout
    for line in (
        "new: 4 Doux",
        "changed: 2 Rosé 2024 (name)",
        "vanished: 3 Sec",
        "rejected row 4, 5: it has no name",
        f"compared with import {second - 1}",
        "Open Database License",
    ):
        assert line in told
    shown = json.loads(rayon("imports", "show", str(second - 1), "--json").stdout)
    assert "first complete import of its query" in shown["diff"]["why_not"]

    assert rayon("imports", "withdraw-vanished", str(second)).stdout == "1 withdrawn\n"
    refused = rayon("imports", "withdraw-vanished", str(second - 1))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "does not tell what vanished" in refused.stderr
    assert "there is no import 99" in rayon("imports", "show", "99").stderr
