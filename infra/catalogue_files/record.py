"""What file formats yield (Record), what a catalogue makes of it (CatalogueRow), and the size limits of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.domain.listing import Content


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: its values by column, or the problem that leaves it without any. ``line`` is 1-based.

    Values are what JSON knows (texts, numbers, lists, objects) and bytes.
    """

    line: int
    values: Mapping[str, object] | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One row. Exactly one of ``content`` and ``problem`` is set.

    ``number`` counts records from 1 without the header; ``line`` is where it starts in the file. ``content.images``
    holds addresses only: ``photo`` are the bytes of a photo that lies in the catalogue itself, ``image_file`` is a file
    name to look for in the folder of photos. ``notes`` say what was changed on the way in.
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


MAX_NAME = 2_000
MAX_DESCRIPTION = 100_000
MAX_ATTRIBUTES = 200
MAX_ATTRIBUTE = 2_000
MAX_EXTERNAL_ID = 200
MAX_IMAGES = 20
MAX_ADDRESS = 4_096
MAX_RECORD = 1_000_000
SAMPLE_RECORDS = 500
MAX_RECORDS_LOOKED_AT = 20_000
SAMPLE_BYTES = 1 << 20
