"""Photos are described at once or decoded first, cached in memory and files, and prefetched in order."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from pipeline.classification.photo_reader import (
    AugmentedView,
    DescriptorCache,
    Descriptors,
    PhotoReader,
    prefetch,
)
from pipeline.domain.listing import Evidence
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.features.fisher import Fisher


def jpeg() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def test_decoding_first_gives_the_same_descriptors_and_drops_the_bytes() -> None:
    evidence = Evidence("Lamp", photo=jpeg())
    reader = PhotoReader({"fisher": Fisher()})
    at_once = reader.describe(evidence)
    decoded = reader.decode(evidence)
    assert (decoded.evidence.photo, decoded.evidence.name) == (None, "Lamp")
    later = reader.describe_decoded(decoded)
    assert at_once.descriptors is not None
    assert later.descriptors is not None
    np.testing.assert_array_equal(later.descriptors["fisher"], at_once.descriptors["fisher"])
    assert later.seconds["decode"] > 0
    assert not later.broken


def test_only_a_photo_that_cannot_be_read_is_broken() -> None:
    reader = PhotoReader({"fisher": Fisher()})
    for evidence, broken, problem in (
        (Evidence("Lamp", photo=b"no picture"), True, "could not be read"),
        (Evidence("Lamp", photo_problem=Reason.other("the host is down")), False, "the host is down"),
        (Evidence("Lamp"), False, "no photo"),
    ):
        for described in (reader.describe(evidence), reader.describe_decoded(reader.decode(evidence))):
            assert described.broken is broken
            assert problem in str(described.problem or "")
    text_only = PhotoReader({}).describe_decoded(PhotoReader({}).decode(Evidence("Lamp", photo=jpeg())))
    assert (text_only.broken, text_only.problem) == (False, Reason(ReasonCode.TEXT_MODEL))


def test_a_reader_caches_a_photo_and_its_views_separately() -> None:
    reader = PhotoReader({"fisher": Fisher()}, cache_bytes=10_000_000)
    evidence = Evidence("Lamp", photo=jpeg())
    plain, view = reader.describe(evidence).descriptors, reader.describe(evidence, AugmentedView(0, 0)).descriptors
    assert plain is not None
    assert view is not None
    assert not np.array_equal(plain["fisher"], view["fisher"])
    assert reader.describe(evidence, AugmentedView(0, 0)).descriptors is view


def test_the_cache_fills_memory_then_files_and_keeps_nothing_beyond() -> None:
    cache = DescriptorCache(cache_bytes=100, disk_bytes=1_000)
    small = {"a": np.zeros(10, np.uint8)}
    large: Descriptors = {"a": np.arange(200, dtype=np.uint8), "b": np.ones(3, np.float32)}
    cache.keep("small", small)
    cache.keep("large", large)
    cache.keep("huge", {"a": np.zeros(2_000, np.uint8)})
    cache.keep("unread", Reason(ReasonCode.PHOTO_GONE))
    assert cache.find("small") is small
    found = cache.find("large")
    assert found is not None
    assert not isinstance(found, Reason)
    assert all(np.array_equal(found[name], large[name]) for name in ("a", "b"))
    assert cache.find("huge") is None
    assert cache.find("never") is None


def test_a_photo_that_two_threads_described_takes_its_room_once() -> None:
    cache = DescriptorCache(cache_bytes=20)
    for key in ("first", "first", "second"):
        cache.keep(key, {"a": np.zeros(10, np.uint8)})
    assert cache.find("second") is not None


def test_results_come_in_order_and_no_more_than_allowed_wait() -> None:
    begun: list[int] = []
    used: list[int] = []
    most_waiting = 0

    def work(item: int) -> int:
        nonlocal most_waiting
        begun.append(item)
        most_waiting = max(most_waiting, len(begun) - len(used))
        return item * item

    for item, result in enumerate(prefetch(work, range(40), 3)):
        assert result == item * item
        used.append(item)
    assert most_waiting <= 4  # three ahead, and the one in use


def test_the_next_item_is_worked_on_while_the_one_before_is_used() -> None:
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


def test_a_failure_is_raised_in_order_and_no_more_work_starts() -> None:
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
