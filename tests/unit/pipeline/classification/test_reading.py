"""Reading a photo at once, or opened first and looked at later: the same."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pipeline.classification.photo_reader import PhotoReader
from pipeline.domain.listing import Evidence
from pipeline.features.fisher import Fisher


def jpeg() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def test_opened_and_looked_at_is_read_and_the_bytes_are_let_go() -> None:
    evidence = Evidence("Lamp", photo=jpeg())
    reader = PhotoReader({"fisher": Fisher()})
    whole = reader.read(evidence)
    opened = reader.open(evidence)
    assert (opened.evidence.photo, opened.evidence.name) == (None, "Lamp")
    looked = reader.look(opened)
    assert whole.described is not None
    assert looked.described is not None
    np.testing.assert_array_equal(looked.described["fisher"], whole.described["fisher"])
    assert looked.seconds["decode"] > 0
    assert not looked.broken


def test_only_a_photo_that_is_no_picture_is_broken() -> None:
    reader = PhotoReader({"fisher": Fisher()})
    for evidence, broken, why in (
        (Evidence("Lamp", photo=b"no picture"), True, "could not be read"),
        (Evidence("Lamp", photo_problem="the host is down"), False, "the host is down"),
        (Evidence("Lamp"), False, "no photo"),
    ):
        for reading in (reader.read(evidence), reader.look(reader.open(evidence))):
            assert reading.broken is broken
            assert why in (reading.problem or "")
    text_only = PhotoReader({}).look(PhotoReader({}).open(Evidence("Lamp", photo=jpeg())))
    assert (text_only.broken, text_only.problem) == (False, "this model looks at text only")
