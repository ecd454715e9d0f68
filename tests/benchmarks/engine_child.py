"""A serving worker's child: loads a model version, answers one listing, and prints which libraries it loaded.

``python -m tests.benchmarks.engine_child HOME VERSION DIGESTS PHOTO ENGINE`` is that child. It imports what a worker
imports, in the same way, and nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from workers.garbage_collection import gc_paused


def main() -> None:
    """Open as a worker's child does, answer, and wait to be measured."""
    with gc_paused():
        from infra.settings import read_settings
        from pipeline.domain.listing import Evidence
        from pipeline.domain.model_version import ActiveModel
        from workers.worker import open_child

    home, version, digests, photo, engine = sys.argv[1:]
    settings = read_settings(
        {
            "DATABASE_URL": "postgresql+psycopg2://nobody@127.0.0.1:9/nothing",  # opening a worker connects to nothing
            "RAYON_HOME": home,
            "SECRET_KEY": "a secret of this benchmark",
        }
    )
    child = open_child(settings, "benchmark", threads=1, use_keras=engine == "keras")
    model = child.categorise_context.models(ActiveModel(1, version, json.loads(digests)))
    (answer,) = model.answer([Evidence("A blue mug", "of stoneware", {}, Path(photo).read_bytes())])
    assert answer.image is not None, answer.image_problem
    print(json.dumps({"tensorflow": "tensorflow" in sys.modules}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
