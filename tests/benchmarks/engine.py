"""VGG16 computed by our engine, beside the peak of the machine, the usual ways, and as a serving worker.

Contenders are timed in turns, one at a time, and ratios are medians over the turns, so that other work on the machine
affects all of them alike.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.networks.precision import Precision
from tests.benchmarks.engine_network import arithmetic, fisher_photos, make_weights, ways
from tests.benchmarks.engine_peak import Contender, products
from tests.benchmarks.engine_worker import starts

TURNS = 11
BARS = {
    "fraction_of_peak": 0.85,
    "int8_to_predict": 4.5,
    "bf16_to_predict": 2.3,
    "start_to_that_of_keras": 0.25,
    "fisher_to_int8": 6,
}

Times = dict[str, list[float]]


def engine() -> dict[str, Any]:
    """GMAC/s of each contender, our share of the peak, our multiples of the usual ways, and the workers."""
    with TemporaryDirectory(prefix="rayon-bench-") as folder:
        weights = make_weights(Path(folder))
        workers = starts(Path(folder), weights)
        # Last, since idle threads of some libraries spin and would slow down the workers.
        gemms, networks = products(), ways(weights)
        fisher = fisher_photos()
        times = _timed([*gemms, *networks, fisher])
    rows = [_row(each, times) for each in (*gemms, *networks)]
    found: dict[str, Any] = {"vgg16_gmac": round(arithmetic(), 2), "contenders": rows, "workers": workers, "bars": BARS}
    found["fraction_of_peak"], found["peak"] = {}, {}
    for at in Precision:
        ours = next((each for each in networks if (each.name, each.precision) == ("ours", at)), None)
        if ours is None:
            continue
        best = max((each for each in gemms if each.precision == at), key=lambda each: _rate(each, times))
        found["peak"][at.value] = {"library": best.name, "gmac_per_s": round(_rate(best, times), 1)}
        found["fraction_of_peak"][at.value] = round(_ratio(best, ours, times) * ours.work / best.work, 3)
        found[f"{at}_to"] = {each.name: round(_ratio(each, ours, times), 2) for each in networks if each.name != "ours"}
        # Photos per second: a network uses all cores for one photo, fisher uses one core for each.
        found[f"fisher_to_{at}"] = round(_ratio(ours, fisher, times) * fisher.work, 2)
    _print_table(found)
    return found


def _timed(contenders: Sequence[Contender]) -> Times:
    times: Times = {_key(each): [] for each in contenders}
    for _ in range(TURNS):
        for each in contenders:
            each.run()  # untimed: threads of the previous contender may still spin, and its matrices fill the caches
            begun = time.perf_counter()
            each.run()
            times[_key(each)].append(time.perf_counter() - begun)
    return times


def _key(each: Contender) -> str:
    return f"{each.name} {each.precision}"


def _rate(each: Contender, times: Times) -> float:
    return each.work / statistics.median(times[_key(each)])


def _ratio(reference: Contender, ours: Contender, times: Times) -> float:
    """How many times as long the reference takes, the median over the turns."""
    return statistics.median(a / b for a, b in zip(times[_key(reference)], times[_key(ours)], strict=True))


def _row(each: Contender, times: Times) -> dict[str, Any]:
    return {
        "name": each.name,
        "precision": each.precision,
        "ms": round(1000 * statistics.median(times[_key(each)]), 1),
        "least_ms": round(1000 * min(times[_key(each)]), 1),
        "gmac_per_s": round(_rate(each, times), 1),
    }


def _print_table(found: dict[str, Any]) -> None:
    """Print a table for readers to standard error."""
    lines = [f"{'':<22}{'precision':<11}{'ms':>8}{'GMAC/s':>9}"]
    lines += [f"{r['name']:<22}{r['precision']:<11}{r['ms']:>8}{r['gmac_per_s']:>9}" for r in found["contenders"]]
    for at, fraction in found["fraction_of_peak"].items():
        multiples = ", ".join(f"{times} x {name}" for name, times in found[f"{at}_to"].items())
        lines.append(f"ours in {at}: {fraction} of the peak ({found['peak'][at]['library']}); {multiples}")
    lines += [f"fisher describes {found[f'fisher_to_{at}']} x the photos of VGG16 in {at}" for at in found["peak"]]
    lines += [
        f"{kind}: {row['start_to_answer_s']} s to its first answer ({row['start_to_that_of_keras']} of Keras), "
        f"{row['unique_mb']} MB, {'with' if row['tensorflow'] else 'without'} TensorFlow"
        for kind, row in found["workers"].items()
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)
