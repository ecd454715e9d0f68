"""Records as file formats yield them, and the rows that a catalogue makes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.listing import Content

MAX_RECORD = 1_000_000  # characters
SAMPLE_RECORDS = 500
MAX_RECORDS_LOOKED_AT = 20_000
SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: its values by column, or the problem why it has none. ``line`` counts from 1.

    Values are what JSON has (texts, numbers, lists, objects) and bytes.
    """

    line: int
    values: Mapping[str, object] | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One row of a catalogue, with either ``content`` or a ``problem``.

    ``number`` counts records from 1 without the header; ``line`` is where the row starts in the file.
    ``content.images`` holds addresses only: ``photo`` is the bytes of a photo in the catalogue itself, ``image_file``
    the name of a file in the folder of photos. ``notes`` say what was changed while reading.
    """

    number: int
    line: int
    external_id: str | None
    content: Content | None
    image_file: str | None = None
    photo: bytes | None = None
    split: str | None = None
    problem: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def known_id(self) -> str:
        """The external id; of a row with content and without an id, a hash of the content and its photo."""
        if self.external_id:
            return self.external_id
        assert self.content is not None
        parts: Sequence[object] = (self.content.fingerprint(), self.image_file)
        if self.photo is not None:
            parts = (*parts, hashlib.sha256(self.photo).hexdigest())
        return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()
