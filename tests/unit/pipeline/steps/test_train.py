"""A training goes on from the photo extractors of the version before, until the catalogue has outgrown them."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.steps.train import Former, Recipe, train_version
from tests.unit.pipeline.classification.catalogues import catalogue

# The training that these tests go on from is made once.
pytestmark = pytest.mark.xdist_group("training")


def trained(examples, former=None):
    found = train_version(examples, Recipe("wear", level=2), lambda name: Path("none"), lambda *_: None, former)
    fisher = found.model.reader.extractors["fisher"]
    return found, {part: vocabulary.projection.axes for part, vocabulary in fisher.vocabularies_.items()}


@pytest.fixture(scope="module")
def first():
    return trained(catalogue())


def test_the_next_training_goes_on_from_the_same_axes_and_leaves_the_former_alone(first):
    version, axes = first
    former = version.model.reader.extractors
    before = version.model.files()
    then, axes_then = trained(catalogue()[3:], Former(former, version.manifest["learned_on"]))
    assert all(np.array_equal(axes[part], axes_then[part]) for part in axes)
    assert then.manifest["learned_on"] == version.manifest["learned_on"] == len(catalogue())
    assert then.model.reader.extractors["fisher"] is not former["fisher"]
    assert version.model.files() == before
    assert then.manifest["image"]["accuracy"] > 0.9


@pytest.mark.parametrize("why", ["outgrown", "other settings"])
def test_else_it_begins_anew(first, why):
    version, axes = first
    former, learned_on = version.model.reader.extractors["fisher"], len(catalogue())
    if why == "outgrown":
        learned_on = 20
    else:
        former = type(former)(pairs=3)
    then, axes_then = trained(catalogue()[3:], Former({"fisher": former}, learned_on))
    assert not all(np.array_equal(axes[part], axes_then[part]) for part in axes)
    assert then.manifest["learned_on"] == len(catalogue()) - 3
