"""Mutation testing: ``python -m tests.mutation [--modules PATTERN] [--sample N] [--seed S] [--only TEXT] [--list]``.

Each mutant is a small fault in a copy of one module; a test that calls the function has to fail for it. Prints the
share caught by module, and the mutants that survived as ``path:line place operator: before -> after``. Results are kept
in var/mutation for as long as neither source nor tests change, so that an interrupted run continues.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutation.mutants import Mutant, mutants
from tests.mutation.runner import CallMap, Outcome, TestsFail, copies, record_calls, try_mutants
from tests.mutation.targets import EQUIVALENT, modules, read_equivalents

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("api", "workers", "pipeline", "infra", "migrations", "tests")


def chosen_mutants(pattern: str, text: str, sample: int | None, seed: int) -> list[Mutant]:
    """The mutants to try, in an order drawn from the seed: those whose line holds the text, without equivalent ones."""
    equivalents = read_equivalents(EQUIVALENT.read_text(encoding="utf-8"))
    found = []
    for path in modules(ROOT, pattern):
        made = mutants(path, (ROOT / path).read_text(encoding="utf-8"))
        found += [mutant for mutant in made if text in shown(mutant) and mutant.key not in equivalents]
    random.Random(seed).shuffle(found)
    return found[:sample]


def shown(mutant: Mutant) -> str:
    """The mutant on one line, with its place."""
    return f"{mutant.path}:{mutant.line}{mutant.key.removeprefix(mutant.path)}"


def tree_digest(root: Path) -> str:
    """A digest of source and tests, this tool's own aside: results hold for one digest."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for file in sorted((root / folder).rglob("*.py")):
            if "tests/mutation" not in file.as_posix():
                digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def summary(tried: Sequence[Mutant], outcomes: Mapping[str, str]) -> str:
    """The counts by module and in all, and the survivors."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in tried:
        counts[mutant.path][outcomes[mutant.key]] += 1
    total = sum(counts.values(), Counter())
    lines = [f"{'':48}{'tried':>7}{'caught':>8}{'hung':>6}{'survived':>10}{'share':>8}"]
    for name, count in [*sorted(counts.items()), ("all", total)]:
        noticed = count[Outcome.CAUGHT] + count[Outcome.HUNG]
        figures = f"{count.total():7}{count[Outcome.CAUGHT]:8}{count[Outcome.HUNG]:6}{count[Outcome.SURVIVED]:10}"
        lines.append(f"{name:48}{figures}{noticed / count.total():8.1%}" if count.total() else f"{name:48}{0:7}")
    survivors = [mutant for mutant in tried if outcomes[mutant.key] == Outcome.SURVIVED]
    survivors.sort(key=lambda mutant: (mutant.path, mutant.start))
    return "\n".join([*lines, *(["", "survivors:"] if survivors else []), *map(shown, survivors)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 when the tests fail without a mutant, or when it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--modules", default="*", metavar="PATTERN", help="of paths, such as infra/store/*")
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants whose line holds it, such as claims.py:54")
    parser.add_argument("--sample", type=int, metavar="N", help="try at most N mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the draw and the order (0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="mutants at a time")
    parser.add_argument("--list", action="store_true", help="print the mutants, and try none")
    options = parser.parse_args(arguments)
    wanted = chosen_mutants(options.modules, options.only, options.sample, options.seed)
    if options.list:
        print(*map(shown, wanted), sep="\n")
        return 0
    folder = ROOT / "var" / "mutation" / tree_digest(ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = read_outcomes(folder / "outcomes.jsonl")
    status = 0
    try:
        _try(wanted, outcomes, folder, options.workers)
    except (TestsFail, KeyboardInterrupt) as problem:
        print(str(problem) or "interrupted; the same command continues", file=sys.stderr)
        status = 1
    print(summary([mutant for mutant in wanted if mutant.key in outcomes], outcomes))
    return status


def read_outcomes(file: Path) -> dict[str, str]:
    """Outcomes by the key of the mutant; a line that was cut off is ignored."""
    outcomes = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            key, outcome = json.loads(line)
        except ValueError:
            continue
        outcomes[key] = outcome
    return outcomes


def _try(wanted: Sequence[Mutant], outcomes: dict[str, str], folder: Path, workers: int) -> None:
    waiting = [mutant for mutant in wanted if mutant.key not in outcomes]
    if not waiting:
        return
    with copies(ROOT, min(workers, len(waiting))) as made, (folder / "outcomes.jsonl").open("a") as file:
        call_map = _call_map(folder / "calls.json", made[0], workers)
        begun = time.monotonic()
        left = len(waiting)

        def report(mutant: Mutant, outcome: Outcome) -> None:
            nonlocal left
            left -= 1
            outcomes[mutant.key] = outcome
            file.write(json.dumps([mutant.key, outcome]) + "\n")
            file.flush()
            minutes = (time.monotonic() - begun) / (len(waiting) - left) * left / 60
            print(f"{left:5} left, {minutes:4.0f} min  {outcome:9}{shown(mutant)}", file=sys.stderr, flush=True)

        try_mutants(made, waiting, call_map, report)


def _call_map(file: Path, copy: Path, processes: int) -> CallMap:
    if not file.exists():
        print("running all tests once, without a mutant", file=sys.stderr, flush=True)
        found = record_calls(copy, processes)
        callers = {name: sorted(files) for name, files in found.callers.items()}
        file.write_text(json.dumps({"seconds": dict(found.seconds), "callers": callers}))
    stored = json.loads(file.read_text())
    return CallMap(stored["seconds"], {name: frozenset(files) for name, files in stored["callers"].items()})


if __name__ == "__main__":
    sys.exit(main())
