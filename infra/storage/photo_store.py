"""Photos by what a seller named: a key of the storage, or an address that is fetched safely and kept."""

from __future__ import annotations

import hashlib

from infra.safe_fetch.addresses import read_target
from infra.safe_fetch.fetcher import SafeFetcher
from infra.safe_fetch.image_check import NotEvenOne
from infra.safe_fetch.policy import FetchPolicy
from infra.sources.photo_politeness import PhotoPoliteness
from pipeline.domain.errors import AddressUnavailable, BadImage, InvalidInput, NotFound
from pipeline.domain.stored_object import Photo
from pipeline.ports.services import ObjectStorage

IMAGES = "images/"
UPLOADS = "uploads/"


def image_key(content: bytes) -> str:
    """The key of an image: its SHA-256, so that the same photo is stored once."""
    return f"{IMAGES}{hashlib.sha256(content).hexdigest()}"


class StoredPhotos:
    """Implements ``pipeline.ports.services.Photos``."""

    def __init__(
        self, storage: ObjectStorage, policy: FetchPolicy, limit: int, manners: PhotoPoliteness | None = None
    ) -> None:
        self._storage = storage
        self._policy = policy
        self._limit = limit
        self._manners = manners

    def fetch(self, reference: str, collected: bool = False) -> Photo:
        """The bytes of an image; uploads and addresses are copied to their own key at first sight."""
        if reference.startswith(("http://", "https://")):
            return self.keep(self._fetched(reference, collected))
        try:
            content = self._storage.get(reference, self._limit)
        except NotFound as error:
            raise BadImage("the photo does not exist in the storage") from error
        except InvalidInput as error:
            raise BadImage(str(error)) from error
        if reference.startswith(IMAGES):
            return Photo(content, reference)
        return self.keep(content)

    def _fetched(self, address: str, collected: bool) -> bytes:
        visit = self._manners.visit(collected) if self._manners else None
        try:
            return SafeFetcher(self._policy, manners=visit).fetch_image(address).content
        except NotEvenOne as error:
            # A database has photos at such addresses, so this is its host's trouble, and may pass.
            if visit is not None and visit.owes_courtesy(read_target(address, self._policy)):
                raise AddressUnavailable(str(error)) from error
            raise

    def keep(self, content: bytes) -> Photo:
        """Store bytes under their own key, once."""
        key = image_key(content)
        if self._storage.stat(key) is None:
            self._storage.put(key, content)
        return Photo(content, key)
