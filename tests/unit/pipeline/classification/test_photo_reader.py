"""Reading a photo at once, or opened first and looked at later: the same."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from pipeline.classification.photo_reader import PhotoReader, prefetch
from pipeline.domain.listing import Evidence
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
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
        (Evidence("Lamp", photo_problem=Reason.other("the host is down")), False, "the host is down"),
        (Evidence("Lamp"), False, "no photo"),
    ):
        for reading in (reader.read(evidence), reader.look(reader.open(evidence))):
            assert reading.broken is broken
            assert why in str(reading.problem or "")
    text_only = PhotoReader({}).look(PhotoReader({}).open(Evidence("Lamp", photo=jpeg())))
    assert (text_only.broken, text_only.problem) == (False, Reason(ReasonCode.TEXT_MODEL))


def test_results_come_in_order_and_never_more_than_allowed_wait() -> None:
    begun: list[int] = []
    used: list[int] = []
    most_waiting = 0

    def work(item: int) -> int:
        nonlocal most_waiting
        begun.append(item)
        most_waiting = max(most_waiting, len(begun) - len(used))
        return item * item

    for item, made in enumerate(prefetch(work, range(40), 3)):
        assert made == item * item
        used.append(item)
    assert most_waiting <= 4  # three ahead, and the one in use


def test_the_next_is_worked_on_while_the_one_before_is_used() -> None:
    second = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            second.set()
        return item

    results = prefetch(work, range(2), 2)
    assert next(results) == 0
    assert second.wait(10)
    assert list(results) == [1]


def test_a_single_item_needs_no_thread() -> None:
    assert list(prefetch(lambda _: threading.current_thread(), [0], 8)) == [threading.main_thread()]


def test_a_failure_comes_when_its_turn_does_and_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ValueError("this one breaks")
        return item

    results = prefetch(work, range(100), 2)
    assert next(results) == 0
    with pytest.raises(ValueError, match="this one breaks"):
        list(results)
    assert len(begun) < 10
