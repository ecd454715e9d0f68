"""The photos of a training come from the storage a few at once, in order, and no more when the training is given up."""

from __future__ import annotations

import threading

import pytest

from pipeline.domain.errors import AddressUnavailable, BadImage, StorageUnavailable, TransientFailure
from pipeline.domain.listing import LabelledListing
from pipeline.domain.progress import no_progress
from pipeline.ports.services import StoredPhoto
from pipeline.steps.train import READ_THREADS, read_examples


def listings(count: int) -> list[LabelledListing]:
    return [LabelledListing(at, f"p{at}", "Lamp", "", {}, "Home", f"images/{at}") for at in range(count)]


class BarrierStorage:
    """A storage that answers once ``at_once`` fetches wait together, and raises the failures it was given."""

    def __init__(self, at_once: int = 1, failures: dict[str, Exception] | None = None) -> None:
        self._together = threading.Barrier(at_once, timeout=20)
        self._failures = failures or {}
        self.fetched: list[str] = []

    def fetch(self, reference: str, *, collected: bool = False) -> StoredPhoto:  # noqa: ARG002 - the port's
        self.fetched.append(reference)
        self._together.wait()
        if reference in self._failures:
            raise self._failures[reference]
        return StoredPhoto(reference.encode(), reference)


def test_each_thread_fetches_one_photo_at_a_time() -> None:
    examples = read_examples(listings(2 * READ_THREADS), BarrierStorage(READ_THREADS), no_progress)
    assert [each.evidence.photo for each in examples] == [f"images/{at}".encode() for at in range(2 * READ_THREADS)]
    assert [each.key for each in examples] == [f"p{at}" for at in range(2 * READ_THREADS)]


@pytest.mark.parametrize("failure", [BadImage("no"), StorageUnavailable("no"), AddressUnavailable("no")])
def test_a_photo_that_cannot_be_had_leaves_its_listing_to_its_text(failure: Exception) -> None:
    shares: list[float] = []
    storage = BarrierStorage(failures={"images/1": failure})
    examples = read_examples(listings(4), storage, lambda share, _note: shares.append(share))
    assert [each.evidence.photo is None for each in examples] == [False, True, False, False]
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_a_training_that_is_no_longer_ours_asks_for_no_more_photos() -> None:
    storage = BarrierStorage()

    def lost(_share: float, _note: str, /) -> None:
        raise TransientFailure("another worker has taken over this job")

    with pytest.raises(TransientFailure, match="taken over"):
        read_examples(listings(500), storage, lost)
    assert len(storage.fetched) <= READ_THREADS + 1
