from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import sparse
from sklearn.base import clone

from pipeline.domain import extractors
from pipeline.domain.errors import BadArtefact, InvalidInput
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality
from pipeline.features.extractor import Matrix, Photo, Vectors, load_extractor

LISTINGS = [
    Evidence("Blue cotton curtain", "A curtain for windows. Free shipping.", {"Material": "Cotton"}),
    Evidence("Red cotton curtain", "Curtain with rings", {"Material": "Cotton", "Length": "213 cm"}),
    Evidence("Steel watch", "Watch with steel strap", {"Strap": "Steel"}),
    Evidence("Leather watch", "Watch with leather strap", {"Strap": "Leather"}),
]


def drawn(seed: int) -> Photo:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (160, 120), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = (int(v) for v in rng.integers(0, 100, 2))
        red, green, blue = (int(v) for v in rng.integers(0, 255, 3))
        shape = draw.ellipse if seed % 2 else draw.rectangle
        shape((x, y, x + 40, y + 25), outline="black", fill=(red, green, blue))
    return np.asarray(image)


def without_weights(modality: Modality) -> list[str]:
    return [row.name for row in extractors.EXTRACTORS if row.modality is modality and not row.takes_weights]


def dense(rows: Matrix) -> Vectors:
    return np.asarray(rows.toarray() if sparse.issparse(rows) else rows)


@pytest.mark.parametrize("name", without_weights(Modality.TEXT))
def test_text_extractors_keep_the_contract(name: str) -> None:
    extractor = load_extractor(name)()
    copy = clone(extractor).set_params(least=1)
    rows = dense(copy.fit(LISTINGS).transform(LISTINGS))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]
    again = dense(load_extractor(name).from_state(copy.state()).transform(LISTINGS))
    np.testing.assert_array_equal(rows, again)
    assert not dense(copy.transform([Evidence("zzzz qqqq")])).any()
    with pytest.raises(BadArtefact):
        load_extractor(name).from_state({**copy.state(), "version": 99})
    with pytest.raises(ValueError, match="no setting"):
        extractor.set_params(nothing=1)


@pytest.mark.parametrize("name", without_weights(Modality.IMAGE))
def test_image_extractors_keep_the_contract(name: str) -> None:
    photos = [drawn(seed) for seed in range(8)]
    extractor = clone(load_extractor(name)()).fit(photos)
    rows = extractor.transform(photos)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    again = load_extractor(name).from_state(extractor.state())
    np.testing.assert_array_equal(rows, again.transform(photos))
    np.testing.assert_array_equal(rows, clone(extractor).fit(photos).transform(photos))
    for odd in ((1, 1, 3), (1, 256, 3), (256, 3, 3)):
        assert np.isfinite(again.transform([np.full(odd, 200, np.uint8)])).all()


def test_phrases_of_the_whole_catalogue_are_not_learned() -> None:
    many = [Evidence(f"{kind} number", "sold by our shop") for kind in ("lamp", "chair") for _ in range(15)]
    terms = load_extractor("tfidf")().fit(many).terms_["words"]
    assert "lamp" in terms
    assert "sold" not in terms


def test_an_unknown_extractor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="tfidf"):
        load_extractor("telepathy")


def test_reading_the_table_loads_no_numeric_library() -> None:
    code = "import sys, pipeline.domain.extractors; print([m for m in ('cv2', 'sklearn') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
