"""Fetches photos of listings from their addresses and stores them, or reads them from the object storage."""

from __future__ import annotations

import hashlib

from infra.photos.photo_rate_limits import PhotoRateLimits
from infra.safe_fetch.addresses import FetchPolicy, parse_target
from infra.safe_fetch.fetcher import SafeFetcher
from infra.safe_fetch.image_check import EmptyOrWebPage
from pipeline.domain.errors import AddressUnavailable, BadImage, InvalidInput, NotFound
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.ports.services import ObjectStorage, StoredPhoto

IMAGE_PREFIX = "images/"


def image_key(content: bytes) -> str:
    """The storage key of an image, made of its SHA-256, so that the same photo is stored once."""
    return f"{IMAGE_PREFIX}{hashlib.sha256(content).hexdigest()}"


class PhotoFetcher:
    """Implements ``pipeline.ports.services.Photos``; photos of more than ``max_bytes`` are refused."""

    def __init__(
        self, storage: ObjectStorage, policy: FetchPolicy, max_bytes: int, rate_limits: PhotoRateLimits | None = None
    ) -> None:
        self._storage = storage
        self._policy = policy
        self._max_bytes = max_bytes
        self._rate_limits = rate_limits

    def fetch(self, reference: str, *, collected: bool = False) -> StoredPhoto:
        """The photo at a storage key or an address; an upload or a fetched photo is copied to its ``image_key``."""
        if reference.startswith(("http://", "https://")):
            return self.store(self._download(reference, collected=collected))
        try:
            content = self._storage.get(reference, self._max_bytes)
        except NotFound as error:
            raise BadImage(Reason(ReasonCode.PHOTO_NOT_STORED)) from error
        except InvalidInput as error:
            raise BadImage(reason_of(error)) from error
        if reference.startswith(IMAGE_PREFIX):
            return StoredPhoto(content, reference)
        return self.store(content)

    def _download(self, address: str, *, collected: bool) -> bytes:
        request_policy = self._rate_limits.policy_for(collected=collected) if self._rate_limits else None
        try:
            return SafeFetcher(self._policy, request_policy=request_policy).fetch_image(address).content
        except EmptyOrWebPage as error:
            # Addresses from a product database lead to photos, so its host probably has a temporary failure.
            if request_policy is not None and request_policy.is_limited(parse_target(address, self._policy)):
                raise AddressUnavailable(reason_of(error)) from error
            raise

    def store(self, content: bytes) -> StoredPhoto:
        """Store bytes at their content-addressed key, unless it exists."""
        key = image_key(content)
        if self._storage.stat(key) is None:
            self._storage.put(key, content)
        return StoredPhoto(content, key)
