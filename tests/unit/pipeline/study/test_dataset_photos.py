"""Photos of a study are fetched, decoded and described a few at a time, in order."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.classification.feature_extraction import extract_photo_features, fit_photo_extractors
from pipeline.classification.photo_reader import PREFETCHED_PHOTOS
from pipeline.domain.errors import StorageUnavailable
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import no_progress
from pipeline.features.extractor import Photo
from pipeline.study.dataset import StudyDataset
from pipeline.study.dataset_photos import DatasetPhotoReader, DigestExamples, LazyPhotoEvidences
from tests.unit.pipeline.classification.catalogues import photo

COUNT = 2 * PREFETCHED_PHOTOS


class Mean:
    """Describes a photo by its mean colour, and tells when two threads are at it."""

    def __init__(self) -> None:
        self._busy = threading.Lock()

    def transform(self, photos: list[Photo]) -> NDArray[np.float32]:
        assert self._busy.acquire(blocking=False), "a network computes one photo at a time"
        try:
            return np.array([each.mean((0, 1)) for each in photos], np.float32)
        finally:
            self._busy.release()


class FakePhotoStorage:
    """Photos by key; it answers when as many ask as ``together`` waits for."""

    def __init__(self, photos: list[bytes]) -> None:
        self._photos = photos
        self.together = threading.Barrier(1)
        self.away = False

    def read(self, key: str) -> bytes | None:
        self.together.wait()
        if self.away:
            raise StorageUnavailable("the storage does not answer")
        return self._photos[int(key)]


def photo_reader(storage: FakePhotoStorage) -> tuple[DatasetPhotoReader, list[Evidence]]:
    texts = [Evidence(f"Lamp {at}") for at in range(COUNT)]
    keys = [str(at) for at in range(COUNT)]
    dataset = StudyDataset(
        level=1,
        categories=("Home",),
        labels=np.zeros(COUNT, np.int64),
        fingerprint="",
        n_labelled=COUNT,
        keys=keys,
        listing_ids=[None] * COUNT,
        text_evidences=texts,
        evidences=LazyPhotoEvidences(texts, keys, storage.read),
    )
    digested = DigestExamples.of(dataset)
    reader = DatasetPhotoReader([], {}, dataset.evidences, digested.row_of_digest)
    reader.extractors = {"mean": Mean()}  # type: ignore[dict-item]
    return reader, [example.evidence for example in digested.examples]


def shades() -> list[bytes]:
    photos = [photo("circles", at) for at in range(COUNT)]
    photos[3] = b"no picture"
    return photos


@pytest.mark.parametrize("learning", [False, True], ids=["looking", "learning"])
def test_as_many_photos_are_fetched_at_once_as_may_wait(*, learning: bool) -> None:
    storage = FakePhotoStorage(shades())
    reader, evidences = photo_reader(storage)
    storage.together = threading.Barrier(PREFETCHED_PHOTOS, timeout=20)
    if learning:
        assert fit_photo_extractors(evidences, reader, 0, no_progress) is not None
    else:
        extract_photo_features(reader.extractors, evidences, reader, no_progress)


def test_readings_come_in_the_order_of_the_listings() -> None:
    reader, evidences = photo_reader(FakePhotoStorage(shades()))
    one_by_one = [reader.describe(evidence) for evidence in evidences]
    again, _ = photo_reader(FakePhotoStorage(shades()))
    together = list(again.describe_all(evidences))
    assert [each.problem for each in together] == [each.problem for each in one_by_one]
    assert [each.broken for each in together] == [at == 3 for at in range(COUNT)]
    for one, other in zip(one_by_one, together, strict=True):
        assert one.evidence == other.evidence
        if one.descriptors is not None:
            assert other.descriptors is not None
            np.testing.assert_array_equal(one.descriptors["mean"], other.descriptors["mean"])


def test_a_storage_that_is_away_ends_the_reading() -> None:
    storage = FakePhotoStorage(shades())
    reader, evidences = photo_reader(storage)
    storage.away = True
    with pytest.raises(StorageUnavailable):
        extract_photo_features(reader.extractors, evidences, reader, no_progress)
