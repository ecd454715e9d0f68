"""Photos of rows: what is no photo is none, and its bytes tie no two products together."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from infra.catalogue_files.photos import PhotoFolder
from infra.catalogue_files.record import CatalogueRow
from pipeline.domain.errors import BadImage
from pipeline.domain.listing import Content
from workers.commands.row_photos import photo_of_row

LIMIT = 10_000


def row(**more: object) -> CatalogueRow:
    return CatalogueRow(1, 2, "sku", Content("a mug"), **more)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> PhotoFolder:
    stream = io.BytesIO()
    Image.new("RGB", (8, 6)).save(stream, "PNG")
    for name, content in (("good.png", stream.getvalue()), ("words.jpg", b"no photo"), ("empty.jpg", b"")):
        (tmp_path / name).write_bytes(content)
    return PhotoFolder(tmp_path)


def test_a_photo_is_read_from_the_folder_or_the_row(folder: PhotoFolder) -> None:
    content = photo_of_row(folder, row(image_file="good.png"), LIMIT)
    assert content is not None
    assert photo_of_row(None, row(photo=content), LIMIT) == content
    assert photo_of_row(None, row(image_file="good.png"), LIMIT) is None
    assert photo_of_row(folder, row(), LIMIT) is None


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"image_file": "words.jpg"}, "of no known kind"),
        ({"image_file": "empty.jpg"}, "0 bytes"),
        ({"image_file": "absent.jpg"}, "not in the folder"),
        ({"photo": b"no photo"}, "of no known kind"),
        ({"photo": b"\xff\xd8" + bytes(LIMIT)}, "too large"),
    ],
)
def test_what_is_no_photo_is_refused_with_the_reason(folder: PhotoFolder, more: dict[str, object], why: str) -> None:
    with pytest.raises(BadImage, match=why):
        photo_of_row(folder, row(**more), LIMIT)
