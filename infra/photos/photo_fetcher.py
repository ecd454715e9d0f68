"""Photos of listings: read from the object storage, or fetched from their address and stored."""

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

IMAGES = "images/"


def image_key(content: bytes) -> str:
    """The key of an image: its SHA-256, so that the same photo is stored once."""
    return f"{IMAGES}{hashlib.sha256(content).hexdigest()}"


class PhotoFetcher:
    """Implements ``pipeline.ports.services.Photos``; ``max_bytes`` is the most bytes of a photo."""

    def __init__(
        self, storage: ObjectStorage, policy: FetchPolicy, max_bytes: int, rate_limits: PhotoRateLimits | None = None
    ) -> None:
        self._storage = storage
        self._policy = policy
        self._limit = max_bytes
        self._rate_limits = rate_limits

    def fetch(self, reference: str, *, collected: bool = False) -> StoredPhoto:
        """The photo behind a storage key or an address; uploads and fetched photos are copied to a key of their own."""
        if reference.startswith(("http://", "https://")):
            return self.store(self._fetched(reference, collected=collected))
        try:
            content = self._storage.get(reference, self._limit)
        except NotFound as error:
            raise BadImage(Reason(ReasonCode.PHOTO_NOT_STORED)) from error
        except InvalidInput as error:
            raise BadImage(reason_of(error)) from error
        if reference.startswith(IMAGES):
            return StoredPhoto(content, reference)
        return self.store(content)

    def _fetched(self, address: str, *, collected: bool) -> bytes:
        request_policy = self._rate_limits.policy_for(collected=collected) if self._rate_limits else None
        try:
            return SafeFetcher(self._policy, request_policy=request_policy).fetch_image(address).content
        except EmptyOrWebPage as error:
            # A product database has photos at such addresses, so its host has a problem that may pass.
            if request_policy is not None and request_policy.is_limited(parse_target(address, self._policy)):
                raise AddressUnavailable(reason_of(error)) from error
            raise

    def store(self, content: bytes) -> StoredPhoto:
        """Store bytes under their own key, once."""
        key = image_key(content)
        if self._storage.stat(key) is None:
            self._storage.put(key, content)
        return StoredPhoto(content, key)
