"""Listings: their content (compared by fingerprint), evidence for models, labelled examples, and size limits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.domain.reason import Reason

# Shared, as json.dumps builds an encoder per call, and an import encodes up to a million listings.
_ENCODE = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one revision. ``images`` are storage keys or http(s) addresses, in the seller's order."""

    name: str
    description: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    seller_category: str | None = None

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the canonical JSON: equal content, equal fingerprint, whatever the order of attributes."""
        canonical = _ENCODE(
            [self.name, self.description, sorted(self.attributes.items()), list(self.images), self.seller_category]
        )
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Evidence:
    """The input of a model: the texts, and the bytes of the photo or the ``photo_problem`` why there are none."""

    name: str
    description: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    photo: bytes | None = None
    photo_problem: Reason | None = None

    @property
    def has_text(self) -> bool:
        """Whether any of the texts is not blank."""
        return bool(
            self.name.strip() or self.description.strip() or any(value.strip() for value in self.attributes.values())
        )


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled listing to train or evaluate on. ``category`` is the full path, as text.

    ``parent`` is the id of the product whose variant it is; ``photo_hash`` the perceptual hash of its photo. Both are
    None where they are not known.
    """

    key: str
    evidence: Evidence
    category: str
    parent: str | None = None
    photo_hash: bytes | None = None


class ImageStatus(StrEnum):
    """The state of an image of a listing."""

    PENDING = "pending"
    STORED = "stored"
    UNUSABLE = "unusable"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Submission:
    """A listing as it is posted or imported."""

    external_id: str
    content: Content


@dataclass(frozen=True, slots=True)
class LabelledListing:
    """A listing with a known category; ``photo`` is a storage key or an address, None without a photo."""

    listing_id: int
    external_id: str
    name: str
    description: str
    attributes: Mapping[str, str]
    category: str
    photo: str | None


# Size limits: of texts in characters, of attributes and images in number.
MAX_NAME = 2_000
MAX_DESCRIPTION = 100_000
MAX_ATTRIBUTES = 200
MAX_ATTRIBUTE = 2_000
MAX_EXTERNAL_ID = 200
MAX_IMAGES = 20
MAX_ADDRESS = 4_096
