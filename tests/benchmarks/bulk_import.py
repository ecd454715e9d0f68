"""Collect an export in a process of its own, so that its memory can be measured; prints a JSON line per page.

``python -m tests.benchmarks.bulk_import DATABASE_URL HOME EXPORT``: {"rows", "seconds", "bytes"}, the last being the
peak memory of the process.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from infra.settings import read_settings
from infra.sources.factory import open_source
from infra.store.imports.bulk_import import encode_rows
from infra.store.imports.repository import import_locks
from pipeline.domain.import_run import ImportRequest, ImportRun
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.steps.collect import CollectContext, collect
from pipeline.steps.imports import running_import
from pipeline.steps.source_registration import find_or_add_source
from workers.bootstrap import build
from workers.garbage_collection import expect_many_objects

DATABASE = "openfoodfacts"


def main(database_url: str, home: str, export: str) -> None:
    """Collect the export as ``rayon collect --export`` does."""
    context = build(read_settings({"DATABASE_URL": database_url, "RAYON_HOME": home}))
    expect_many_objects()
    query = ProductQuery(QueryKind.EXPORT, export)
    asked = open_source(DATABASE, context.settings)
    source = find_or_add_source(context.units, DATABASE)
    begun = time.monotonic()

    def print_page(run: ImportRun) -> None:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"rows": run.row, "seconds": time.monotonic() - begun, "bytes": most}), flush=True)

    request = ImportRequest.of_query(source.id, DATABASE, query)
    with running_import(context.units, import_locks(context.engine), request, afresh=True) as run:
        collect(CollectContext(context.units, asked, encode_rows, print_page), query, source.id, run)


if __name__ == "__main__":
    main(*sys.argv[1:])
