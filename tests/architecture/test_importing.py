"""Importing a module has no effect, and api.app leaves mathematics out of the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import PACKAGES, ROOT, module_name, python_files

# Alembic executes this file for a migration; it is never imported.
EXECUTED = {"migrations.env"}
IMPORTER = ROOT / "tests" / "architecture" / "import_everything.py"


def import_fresh(modules: list[str], folder: Path = ROOT) -> dict[str, Any]:
    """The report of a fresh interpreter that has imported these modules."""
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{folder}:{ROOT}",
        "OMP_NUM_THREADS": "1",
    }
    outcome = subprocess.run(
        [sys.executable, IMPORTER, *modules], capture_output=True, text=True, env=environment, cwd=folder, check=False
    )
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    report: dict[str, Any] = json.loads(outcome.stdout.splitlines()[-1])
    return report


def test_importing_any_module_has_no_effect() -> None:
    modules = [module_name(path) for path in python_files(*PACKAGES)]
    report = import_fresh([name for name in modules if name not in EXECUTED and not name.endswith("__main__")])
    assert report["effects"] == []


@pytest.mark.parametrize(
    "body",
    [
        "import threading; threading.Thread(target=print, daemon=True).start()",
        "import socket; held = socket.socket()",
        "from sqlalchemy import create_engine; engine = create_engine('postgresql+psycopg2://nobody@localhost/none')",
        "import os; os.environ['PLANTED'] = '1'",
        "import pathlib; pathlib.Path('planted.txt').write_text('planted')",
        "import subprocess; subprocess.run(['true'])",
        "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
        "import redis; client = redis.Redis()",
    ],
)
def test_an_effect_is_noticed(body: str, tmp_path: Path) -> None:
    """The check itself can fail: here it gets a module with an effect, as if it were one of ours."""
    (tmp_path / "planted.py").write_text(body)
    (tmp_path / "tests" / "architecture").mkdir(parents=True)
    copy = tmp_path / "tests" / "architecture" / IMPORTER.name
    copy.write_text(IMPORTER.read_text())
    outcome = subprocess.run(
        [sys.executable, copy, "planted"],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=True,
    )  # fmt: skip
    assert json.loads(outcome.stdout.splitlines()[-1])["effects"]


def test_the_api_leaves_mathematics_out() -> None:
    loaded = set(import_fresh(["api.app"])["loaded"])
    assert loaded & {"tensorflow", "keras", "openvino", "sklearn", "cv2"} == set()
    assert "fastapi" in loaded


def test_a_serving_worker_leaves_tensorflow_out() -> None:
    names = [module_name(path) for path in python_files("workers")]
    loaded = set(import_fresh([name for name in names if not name.endswith("__main__")])["loaded"])
    assert loaded & {"tensorflow", "keras", "tensorflow_hub"} == set()


WORKER = """
import gc, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if gc.isenabled():
            searched.append(name)

searched = []
sys.meta_path.insert(0, Watch())
sys.argv = ["rayon", "worker"]
from workers.cli import main
try:
    main()
finally:
    print(gc.isenabled(), gc.get_freeze_count() > 0)
    print(*searched)
    print(*sys.modules)
"""


@pytest.fixture(scope="module")
def start_of_a_worker() -> list[list[str]]:
    """The output of a worker that has loaded its libraries and ends, since it has no broker."""
    environment = {**os.environ, "DATABASE_URL": "postgresql+psycopg2://nobody@127.0.0.1:9/nothing", "BROKER_URL": ""}
    outcome = subprocess.run(
        [sys.executable, "-c", WORKER], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert "BROKER_URL is not set" in outcome.stderr
    return [line.split() for line in outcome.stdout.splitlines()]


def test_a_worker_loads_its_libraries_without_looking_for_garbage(start_of_a_worker: list[list[str]]) -> None:
    state, searched, loaded = start_of_a_worker
    heavy = {"sqlalchemy", "celery", "kombu", "numpy", "scipy", "cv2"}
    assert heavy <= set(loaded)
    assert heavy & set(searched) == set()
    assert state == ["True", "True"]


def test_a_serving_worker_starts_with_what_serving_needs(start_of_a_worker: list[list[str]]) -> None:
    """More is loaded with the first model that needs it; each of these would delay the first answer."""
    loaded = set(start_of_a_worker[2])
    unneeded = {"boto3", "botocore", "sklearn", "openvino", "tensorflow", "gensim", "pandas", "pyarrow", "jinja2"}
    unneeded |= {
        "fastapi",
        "scipy.linalg",
        "scipy.optimize",
        "infra.embedded",
        "pipeline.study",
        "workers.long_job_handlers",
    }
    assert loaded & unneeded == set()
