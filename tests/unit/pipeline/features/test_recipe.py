"""The recipe of docs/extending.md, followed to the letter in a copy of the packages: one file, one row, in use."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
USE = """
import json
import sys
import numpy as np
from io import BytesIO
from PIL import Image, ImageDraw
import pipeline.features
from pipeline.classification.training import train
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.study import StudyPlan
from pipeline.domain.training import TrainingOptions
from pipeline.domain import extractors
from pipeline.domain.progress import no_progress
from pipeline.study.features import NoFeatureStore, compute_features
from pipeline.study.trials import run_trials

NAME = sys.argv[1]

def photo(colour, seed):
    x, y = (int(v) for v in np.random.default_rng(seed).integers(5, 40, 2))
    image = Image.new("RGB", (96, 80), "white")
    ImageDraw.Draw(image).ellipse((x, y, x + 40, y + 30), fill=colour)
    content = BytesIO()
    image.save(content, "JPEG")
    return content.getvalue()

examples = [
    Example(f"{kind}-{n}", Evidence("", photo=photo(colour, n)), kind)
    for kind, colour in (("Tomatoes", "red"), ("Plums", "purple"))
    for n in range(20)
]
result = train(examples, TrainingOptions(image_extractors=(NAME,)))
features = compute_features(NAME, [example.evidence for example in examples], NoFeatureStore(), None, no_progress)
labels = np.array([example.category == "Plums" for example in examples]).astype(np.int64)
studied = run_trials(features, labels, 2, StudyPlan(seeds=(0, 1)), no_progress).result
print(json.dumps({
    "ari": {trial.protocol: trial.mean_ari for trial in studied.trials},
    "from": pipeline.features.__file__,
    "listed": [row.name for row in extractors.EXTRACTORS],
    "accuracy": result.report.figures.image.accuracy.mean,
    "files": sorted(result.model.files()),
}))
"""


def recipe() -> tuple[str, str, str]:
    """The file's path, its content, and the row, as the page has them."""
    section = PAGE.partition("## An extractor\n")[2].partition("\n### ")[0]
    path = re.search(r"\*\*The file\*\*, `(pipeline/features/\w+\.py)`", section)
    blocks = re.findall(r"```(?:python)?\n(.*?)```", section, re.DOTALL)
    assert path is not None
    assert len(blocks) == 2
    return path[1], blocks[0], blocks[1]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the pipeline and its tests, with the recipe's file and row added."""
    folder = tmp_path_factory.mktemp("house")
    for package in ("pipeline", "tests/unit/pipeline"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("tests", "tests/unit"):
        shutil.copy2(ROOT / package / "__init__.py", folder / package)
    path, content, row = recipe()
    assert not (folder / path).exists()
    (folder / path).write_text(content, encoding="utf-8")
    table = folder / "pipeline" / "domain" / "extractors.py"
    before, opening, rest = table.read_text(encoding="utf-8").partition("EXTRACTORS: tuple[ExtractorSpec, ...] = (\n")
    assert opening
    table.write_text(before + opening + row + rest, encoding="utf-8")
    return folder


def python(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def name_of_the_row() -> str:
    found = re.search(r'ExtractorSpec\("(\w+)"', recipe()[2])
    assert found is not None
    return found[1]


def test_the_new_extractor_trains_a_model_and_is_studied(copy: Path) -> None:
    name = name_of_the_row()
    found = json.loads(python(copy, "-c", USE, name).splitlines()[-1])
    assert Path(found["from"]).is_relative_to(copy)
    assert name in found["listed"]
    assert found["accuracy"] > 0.9
    assert found["ari"]["A"] > 0.9
    assert f"extractor_{name}.json" in found["files"]


def test_the_tests_of_the_table_pick_it_up(copy: Path) -> None:
    table = "tests/unit/pipeline/features/test_extractor.py"
    said = python(
        copy, "-m", "pytest", table, "-k", name_of_the_row(), "-p", "no:cacheprovider", "-p", "no:xdist", "-q"
    )
    assert re.search(r"\b[1-9]\d* passed", said), said


def test_the_code_of_the_recipe_is_clean(copy: Path) -> None:
    path, _, _ = recipe()
    ruff = Path(sys.executable).with_name("ruff")
    for words in (("format", "--check"), ("check",)):
        command = [ruff, *words, "--config", ROOT / "pyproject.toml", path, "pipeline/domain/extractors.py"]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
