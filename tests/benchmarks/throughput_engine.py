"""One process of the engine alone: describes photos and answers for listings, as standard input says."""

from __future__ import annotations

import json
import os
import sys

from sqlalchemy import text
from threadpoolctl import threadpool_limits

from pipeline.classification.photo_reader import feature_vector
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.listing import Evidence
from pipeline.domain.model_version import ActiveModel
from workers.bootstrap import WorkerContext, build, settings_of
from workers.model_cache import ModelCache


def active_model() -> tuple[WorkerContext, TrainedModel]:
    """The context of the environment, and the newest active model version, with one thread."""
    threadpool_limits(1)
    context = build(settings_of(os.environ), application="bench engine")
    with context.engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT id, manifest->>'artefacts' AS version, manifest->'files' AS digests FROM model_versions "
                "WHERE status = 'active' ORDER BY id DESC LIMIT 1"
            )
        ).one()
    return context, ModelCache(context.registry, threads=1)(ActiveModel(row.id, row.version, row.digests))


def main() -> None:
    """Load the active model, print a line, then do each task and print a line when it is done."""
    context, model = active_model()
    keys = json.loads(sys.stdin.readline())["keys"]
    # The photos are in memory: reading them from the storage is not the engine's work.
    listings = [Evidence("Lamp", "A lamp for the table", photo=context.storage.get(key)) for key in keys]
    model.answer(listings[:2])
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        if json.loads(line) == "describe":
            for listing in listings:
                described = model.reader.describe_decoded(model.decode(listing))
                for name, rows in (described.descriptors or {}).items():
                    feature_vector(model.reader.extractors[name], rows)
        else:
            for start in range(0, len(listings), 16):
                model.answer(listings[start : start + 16])
        print(json.dumps("done"), flush=True)


if __name__ == "__main__":
    main()
