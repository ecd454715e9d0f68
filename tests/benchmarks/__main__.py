"""Run every benchmark: ``python -m tests.benchmarks [name …]``. Each prints one JSON object, with its reference.

``python -m tests.benchmarks cleaning FILE`` is about the texts of a catalogue file; nobody runs it unasked.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from infra.embedded.ports import free_port
from infra.sample.generator import write_catalogue
from tests.benchmarks.cleaning import cleaning_of
from tests.benchmarks.engine import engine
from tests.benchmarks.latency import latency
from tests.benchmarks.memory import memory
from tests.benchmarks.photos import photos
from tests.benchmarks.study import scale, study
from tests.faults.stack import running_stack

ON_A_STACK = {"latency": latency, "memory": memory}
ALONE = {"engine": engine, "photos": photos, "study": study, "scale": scale}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    if names[:1] == ["cleaning"]:
        if len(names) != 2:
            sys.exit("name a catalogue file: python -m tests.benchmarks cleaning FILE")
        cleaning_of(Path(names[1]))
        return
    chosen = set(names) or {*ON_A_STACK, *ALONE}
    unknown = chosen - {*ON_A_STACK, *ALONE}
    if unknown:
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}; choose from {', '.join([*ON_A_STACK, *ALONE])}")
    for name, run in ALONE.items():
        if name in chosen:
            print(json.dumps({"benchmark": name, **run()}), flush=True)
    if not chosen & set(ON_A_STACK):
        return
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "home", free_port()) as stack:
        catalogue = write_catalogue(Path(folder) / "catalogue", 200, seed=5)
        images = str(catalogue.parent / "images")
        stack.rayon("import", str(catalogue), "--images", images, "--source", "bench", "--wait")
        stack.rayon("train", "--taxonomy", "bench")
        for name, run_on in ON_A_STACK.items():
            if name in chosen:
                print(json.dumps({"benchmark": name, **run_on(stack)}), flush=True)


main(sys.argv[1:])
