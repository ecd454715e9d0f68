"""The speed of collecting an export, beside COPY of the same rows and beside inserts of one row at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from infra.embedded.servers import EmbeddedPostgres
from infra.store.database import upgrade
from tests.benchmarks.bulk_export import write_export
from tests.benchmarks.bulk_reference import copy, row_by_row

ROWS = 100_000
SAMPLE = 2_000
MAX_COPIED = 200_000


def bulk(rows: int = ROWS) -> dict[str, Any]:
    """Rows per second, overall and of the first and the last tenth; the memory of the process; the references.

    Postgres is durable, as in production, and on the same machine; all rows are new listings with a job each, and
    unchanged when they are collected ``again``. The inserts of one row at a time are timed before and after, since
    other work on the machine comes and goes; the ratios use both.
    """
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "export.jsonl.gz"
        size = write_export(export, rows)
        server = EmbeddedPostgres(Path(folder) / "postgres")
        server.start()
        try:
            database_url = server.create_database("bulk")
            upgrade(database_url)
            before = row_by_row(database_url, SAMPLE, first=rows)
            pages = _collected(database_url, folder, export)
            after = row_by_row(database_url, SAMPLE, first=rows + SAMPLE)
            again = _summarise(_collected(database_url, folder, export))
            copied = copy(database_url, MAX_COPIED)
            summary = _summarise(pages)
            return {"rows": rows, "bytes_a_line": round(size / rows), **summary, "again": again} | {
                "copy_rows_per_second": {name: round(rate) for name, rate in copied.items()},
                "row_by_row_rows_per_second": {
                    name: [round(rate), round(after[name])] for name, rate in before.items()
                },
                "times_row_by_row": {
                    name: round(summary["rows_per_second"] * (1 / rate + 1 / after[name]) / 2, 1)
                    for name, rate in before.items()
                },
                "of_copy": {name: round(summary["rows_per_second"] / rate, 3) for name, rate in copied.items()},
            }
        finally:
            server.stop()


def _collected(database_url: str, folder: str, export: Path) -> list[dict[str, float]]:
    command = [sys.executable, "-m", "tests.benchmarks.bulk_import", database_url, f"{folder}/home", str(export)]
    pages = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            pages.append(json.loads(line))
            print(line.strip(), file=sys.stderr, flush=True)
    if running.returncode:
        raise RuntimeError(f"the import ended with {running.returncode}")
    return pages


def _summarise(pages: list[dict[str, float]]) -> dict[str, Any]:
    tenth = max(1, len(pages) // 10)
    begun = {"rows": 0.0, "seconds": 0.0}
    return {
        "seconds": round(pages[-1]["seconds"], 1),
        "rows_per_second": round(_rate(begun, pages[-1])),
        "rows_per_second_first_tenth": round(_rate(begun, pages[tenth - 1])),
        "rows_per_second_last_tenth": round(_rate(pages[-tenth - 1] if len(pages) > tenth else begun, pages[-1])),
        "peak_mb": round(pages[-1]["bytes"] / 1e6),
        "peak_mb_after_a_tenth": round(pages[tenth - 1]["bytes"] / 1e6),
    }


def _rate(begin: dict[str, float], end: dict[str, float]) -> float:
    return (end["rows"] - begin["rows"]) / (end["seconds"] - begin["seconds"])
