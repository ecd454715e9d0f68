"""Trying mutants: each is written into a copy of the checkout, and the tests that call its function are run there.

The checkout itself is only read. The copies lie in a temporary folder, which is removed at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.mutation.call_recorder import FOLDER
from tests.mutation.mutants import Mutant
from tests.mutation.targets import TESTS

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "*.egg-info", "var", "build", "study-*")
SLACK, FACTOR = 60.0, 4.0  # a mutant hangs after SLACK seconds and FACTOR times what its tests take without it


class Outcome(StrEnum):
    """What the tests said to a mutant."""

    CAUGHT = "caught"
    HUNG = "hung"
    SURVIVED = "survived"


class TestsFail(Exception):
    """The tests fail though nothing was changed."""

    __test__ = False


@dataclass(frozen=True, slots=True)
class CallMap:
    """The seconds of each file of tests, and the files that call each function of the modules, by path and name."""

    seconds: Mapping[str, float]
    callers: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, recorded: Iterable[Mapping[str, Any]]) -> CallMap:
        """The map of what several processes recorded."""
        seconds: dict[str, float] = defaultdict(float)
        callers: dict[str, set[str]] = defaultdict(set)
        for each in recorded:
            for file, spent in each["seconds"].items():
                seconds[file] += spent
            for file, names in each["calls"].items():
                for name in names:
                    callers[name].add(file)
        return cls(seconds, {name: frozenset(files) for name, files in callers.items()})

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The files of tests for a mutant, the quickest first: those that call its function, else its module."""
        found = {file for name in mutant.functions for file in self.callers.get(f"{mutant.path} {name}", ())}
        if not found:
            prefix = f"{mutant.path} "
            found = {file for name, files in self.callers.items() if name.startswith(prefix) for file in files}
        return sorted((file for file in found if file), key=lambda file: (self.seconds.get(file, 0.0), file))


@contextmanager
def copies(root: Path, count: int) -> Iterator[list[Path]]:
    """Copies of the checkout, with the real catalogues beside each where they are beside the checkout."""
    with tempfile.TemporaryDirectory(prefix="rayon-mutation-", ignore_cleanup_errors=True) as folder:
        made = []
        for number in range(count):
            copy = Path(folder, str(number), "rayon")
            shutil.copytree(root, copy, ignore=NOT_COPIED, symlinks=True)
            if (root.parent / "shared").is_dir():
                (copy.parent / "shared").symlink_to((root.parent / "shared").resolve())
            made.append(copy)
        yield made


def record_calls(copy: Path, processes: int) -> CallMap:
    """Run all tests once, without a mutant; raises TestsFail when one fails."""
    with tempfile.TemporaryDirectory(prefix="rayon-calls-") as folder:
        options = ["-p", "tests.mutation.call_recorder", "-n", str(processes), "--dist", "loadfile", *TESTS]
        status = _pytest(copy, options, None, {FOLDER: folder})
        recorded = [json.loads(file.read_text()) for file in Path(folder).glob("*.json")]
    failed = sorted({test for each in recorded for test in each["failed"]})
    if status != 0:
        raise TestsFail(f"without a mutant the tests end with {status}: {', '.join(failed[:10])}")
    return CallMap.of(recorded)


def try_mutant(copy: Path, mutant: Mutant, call_map: CallMap) -> Outcome:
    """Run the tests of a mutant; one that no test calls survives."""
    tests = call_map.tests_of(mutant)
    if not tests:
        return Outcome.SURVIVED
    file = copy / mutant.path
    source = file.read_text(encoding="utf-8")
    limit = SLACK + FACTOR * sum(call_map.seconds.get(test, 0.0) for test in tests)
    try:
        file.write_text(mutant.apply(source), encoding="utf-8")
        status = _pytest(copy, ["-x", "-n", "0", *tests], limit)
    finally:
        file.write_text(source, encoding="utf-8")
    return Outcome.HUNG if status is None else Outcome.SURVIVED if status == 0 else Outcome.CAUGHT


def try_mutants(
    workers: Sequence[Path], mutants: Sequence[Mutant], call_map: CallMap, report: Callable[[Mutant, Outcome], None]
) -> None:
    """Try every mutant, in each copy one at a time; ``report`` is called with each result as it comes."""
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in workers:
        free.put(copy)

    def work(mutant: Mutant) -> tuple[Mutant, Outcome]:
        copy = free.get()
        try:
            return mutant, try_mutant(copy, mutant, call_map)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            for done in as_completed([pool.submit(work, mutant) for mutant in mutants]):
                report(*done.result())
        finally:
            pool.shutdown(cancel_futures=True)


def _pytest(
    copy: Path, options: Sequence[str], limit: float | None, more: Mapping[str, str] | None = None
) -> int | None:
    """The exit status of pytest in a copy, None after ``limit`` seconds; everything it started is killed."""
    # Without bytecode: two versions of a file within a second, of one length, would be taken for each other.
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    process = subprocess.Popen(
        command,
        cwd=copy,
        env={**environment, **(more or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
