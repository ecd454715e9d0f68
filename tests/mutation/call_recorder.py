"""A pytest plugin that records, for each file of tests, its seconds and the functions of some modules that it calls.

Loaded by ``-p tests.mutation.call_recorder``. Each process of pytest-xdist writes a JSON file of its own into the
folder that RAYON_CALLS names.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.mutation.targets import modules

FOLDER = "RAYON_CALLS"
_paths = {str(Path(path).absolute()): path for path in modules(Path.cwd())}
_calls: dict[str, set[str]] = defaultdict(set)
_seconds: dict[str, float] = defaultdict(float)
_failed: list[str] = []
_current = ""


def _record(frame: FrameType, event: str, _argument: Any) -> None:
    if event == "call" and (path := _paths.get(frame.f_code.co_filename)) is not None:
        _calls[_current].add(f"{path} {frame.f_code.co_qualname.partition('.<locals>')[0]}")


def pytest_runtest_logstart(nodeid: str) -> None:
    """A test begins."""
    global _current
    _current = nodeid.partition("::")[0]
    threading.setprofile(_record)
    sys.setprofile(_record)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A phase of a test has ended."""
    _seconds[report.nodeid.partition("::")[0]] += report.duration
    if report.failed:
        _failed.append(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write what was recorded."""
    sys.setprofile(None)
    calls = {file: sorted(names) for file, names in _calls.items()}
    text = json.dumps({"calls": calls, "seconds": _seconds, "failed": _failed})
    Path(os.environ[FOLDER], f"{os.getpid()}.json").write_text(text)
