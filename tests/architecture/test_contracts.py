"""Every import contract can fail: a violation planted in a copy of the packages breaks it, and it alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT, python_files

pytestmark = pytest.mark.xdist_group("import contracts")

CONTRACTS = [
    c["name"] for c in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
]
APART, MIGRATIONS, INFRA, LAYERS, NO_WORLD, STANDARD, API, NO_MATHS, TENSORFLOW, BY_NAME, BABEL, NO_CYCLES = CONTRACTS
DOCSTRING = '"""Planted."""\n'

PLANTED: list[tuple[str, Mapping[str, str]]] = [
    (APART, {"api/planted.py": "import workers.commands"}),
    (APART, {"workers/planted.py": "from api import web"}),
    (APART, {"workers/planted.py": "import infra.planted", "infra/planted.py": "", "api/planted.py": "import workers"}),
    (MIGRATIONS, {"migrations/planted.py": "from infra.storage import s3"}),
    (MIGRATIONS, {"migrations/versions/planted.py": "from pipeline.domain import job"}),
    (INFRA, {"infra/planted.py": "from pipeline.steps import intake"}),
    (INFRA, {"infra/store/planted.py": "import celery"}),
    (INFRA, {"infra/storage/planted.py": "from fastapi import FastAPI"}),
    (LAYERS, {"pipeline/domain/planted.py": "from pipeline import ports"}),
    (LAYERS, {"pipeline/features/planted.py": "from pipeline.steps import reviews"}),
    (LAYERS, {"pipeline/networks/planted.py": "from pipeline.features import extractor"}),
    (LAYERS, {"pipeline/clustering/planted.py": "from pipeline.classification import fusion"}),
    (LAYERS, {"pipeline/study/planted.py": "from pipeline.study_report import palette"}),
    (LAYERS, {"pipeline/domain/planted.py": "from pipeline import localisation"}),
    (LAYERS, {"pipeline/localisation/planted.py": "from pipeline.ports import services"}),
    (LAYERS, {"pipeline/unplaced/__init__.py": ""}),
    (NO_WORLD, {"pipeline/features/planted.py": "import sqlalchemy, psycopg2, boto3"}),
    (NO_WORLD, {"pipeline/steps/planted.py": "import celery, redis, fastapi, requests"}),
    (NO_WORLD, {"pipeline/study/planted.py": "from infra import settings"}),
    (STANDARD, {"pipeline/domain/planted.py": "import scipy.sparse"}),
    (STANDARD, {"pipeline/domain/planted.py": "def late() -> None:\n    import pydantic"}),
    (API, {"api/planted.py": "from pipeline.steps import planted", "pipeline/steps/planted.py": ""}),
    (NO_MATHS, {"api/web/planted.py": "import cv2"}),
    (NO_MATHS, {"api/planted.py": "import infra.planted", "infra/planted.py": "import sklearn.svm"}),
    (NO_MATHS, {"pipeline/steps/models.py": "from pipeline.features import extractor"}),
    (TENSORFLOW, {"workers/planted.py": "import tensorflow as tf"}),
    (TENSORFLOW, {"pipeline/features/planted.py": "def late() -> None:\n    from keras import layers"}),
    (BY_NAME, {"pipeline/features/planted.py": "from pipeline.networks import keras_backbone"}),
    (BY_NAME, {"pipeline/steps/planted.py": "def late() -> None:\n    from pipeline.features import use"}),
    (BABEL, {"api/web/planted.py": "from babel.dates import format_date"}),
    (
        NO_CYCLES,
        {"api/keys/planted.py": "import api.web.planted", "api/web/planted.py": "import api.keys.planted"},
    ),
    (
        NO_CYCLES,
        {
            "workers/planted.py": "import workers.commands.planted",
            "workers/commands/planted.py": "import workers.planted",
        },
    ),
    (NO_CYCLES, {"infra/store/planted.py": "from infra.sources import politeness"}),
    (NO_CYCLES, {"infra/sources/http_cache.py": "def late() -> None:\n    from infra.sources import client"}),
    (NO_CYCLES, {"pipeline/domain/job.py": "from pipeline.domain import claimed_job"}),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages' Python files and of the configuration."""
    folder = tmp_path_factory.mktemp("packages")
    shutil.copy2(ROOT / "pyproject.toml", folder)
    for path in python_files(*PACKAGES):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return folder


@pytest.fixture
def planted(copy: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The copy with the lines of ``request.param`` added to its files, and afterwards as it was."""
    before: dict[Path, str | None] = {}
    for name, line in request.param.items():
        path = copy / name
        before[path] = path.read_text() if path.exists() else None
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{before[path] or DOCSTRING}\n{line}\n")
    yield copy
    for path, content in before.items():
        if content is not None:
            path.write_text(content)
        elif path.name == "__init__.py":
            shutil.rmtree(path.parent)
        else:
            path.unlink()


def broken_contracts(folder: Path) -> set[str]:
    """The contracts that lint-imports reports as broken in a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    outcome = subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)
    report = " ".join(outcome.stdout.split())
    verdicts = {name: re.search(re.escape(name) + r" ?(KEPT|BROKEN)", report) for name in CONTRACTS}
    assert all(verdicts.values()), f"no verdict on every contract:\n{outcome.stdout}\n{outcome.stderr}"
    broken = {name for name, verdict in verdicts.items() if verdict and verdict[1] == "BROKEN"}
    assert bool(broken) == (outcome.returncode != 0), outcome.stdout
    return broken


def test_every_contract_is_kept(copy: Path) -> None:
    assert broken_contracts(copy) == set()


@pytest.mark.parametrize(("contract", "planted"), PLANTED, indirect=["planted"])
def test_a_planted_violation_breaks_its_contract_alone(contract: str, planted: Path) -> None:
    assert broken_contracts(planted) == {contract}


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract for contract, _ in PLANTED} == set(CONTRACTS)
