"""The Universal Sentence Encoder as it is installed with Rayon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.domain.listing import Evidence
from pipeline.features import use
from pipeline.features.use import UniversalSentenceEncoder

# One copy of the network for all tests.
pytestmark = pytest.mark.xdist_group("sentence network")

LISTINGS = [
    Evidence("Blue cotton curtain", "Keeps the light out of your bedroom", {"Colour": "Blue"}),
    Evidence("Rideau en coton bleu", "Obscurcit la chambre", {"Couleur": "Bleu"}),
    Evidence("Steel watch \ud83d", "Water resistant"),
    Evidence("", "", {"only": "attributes"}),
    Evidence("", "A steel watch"),
    Evidence(""),
]


@pytest.fixture(scope="module")
def extractor() -> UniversalSentenceEncoder:
    return UniversalSentenceEncoder().fit([])


def test_texts_become_unit_vectors_in_either_language(extractor: UniversalSentenceEncoder) -> None:
    rows = extractor.transform(LISTINGS)
    assert rows.shape == (6, 512)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0, 1, 0], rtol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.3
    assert rows[2] @ rows[4] > rows[0] @ rows[4] + 0.3
    assert extractor.transform([]).shape == (0, 512)


def test_weights_of_texts_are_settings() -> None:
    names, with_description, with_attributes = (
        UniversalSentenceEncoder(description_weight=weight, attributes_weight=attributes).fit([]).transform(LISTINGS)
        for weight, attributes in ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5))
    )
    np.testing.assert_allclose(with_description[4], names[4], atol=1e-6)  # the description stands for a missing name
    assert names[2] @ with_description[2] < 0.95
    assert with_attributes[3].any()
    assert not names[3].any()
    np.testing.assert_allclose(with_attributes[2], with_description[2], atol=1e-6)  # it has no attributes


def test_the_state_has_the_digest_only_and_is_checked_when_it_is_restored(
    extractor: UniversalSentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = json.loads(json.dumps(extractor.state()))
    assert len(json.dumps(state)) < 500
    restored = UniversalSentenceEncoder.from_state(state)
    np.testing.assert_array_equal(restored.transform(LISTINGS), extractor.transform(LISTINGS))
    with pytest.raises(BadArtefact, match="the model's are 000000000000"):
        UniversalSentenceEncoder.from_state(state | {"digest": "0" * 64})
    monkeypatch.setattr(use, "bundled_weights", lambda _: None)
    with pytest.raises(Unavailable, match="use has no weights here; run: rayon models fetch use, or"):
        UniversalSentenceEncoder.from_state(state)


def test_a_state_of_an_earlier_program_asks_for_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    restored = UniversalSentenceEncoder.from_state({"kind": "use", "version": 1, "digest": "0" * 64})
    assert restored.get_params()["description_weight"] == 0.0
    with pytest.raises(Unavailable, match="use has no module here"):
        restored.transform(LISTINGS)


def test_the_path_of_the_installed_weights_can_be_given(extractor: UniversalSentenceEncoder, tmp_path: Path) -> None:
    weights = bundled_weights("use")
    assert weights is not None
    given = UniversalSentenceEncoder(str(weights.path)).fit([])
    assert given.digest_ == extractor.digest_
    assert not given.is_module_
    with pytest.raises(Unavailable, match="use has no weights at"):
        UniversalSentenceEncoder(str(tmp_path / "gone.npz")).fit([])


def test_tensorflow_is_not_loaded() -> None:
    code = """
import sys
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import build_extractor
print(build_extractor("use").fit([]).transform([Evidence("mug")]).shape, "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 512) False"
