"""Photos are found in their folder, and only there; bytes that are no picture are refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from infra.catalogue_files.photo_folder import PhotoFolder, photo_of_row
from infra.catalogue_files.rows import CatalogueRow
from pipeline.domain.errors import BadImage, InvalidInput
from pipeline.domain.listing import Content


@pytest.fixture
def folder(tmp_path: Path) -> PhotoFolder:
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    (images / "a.jpg").touch()
    (images / "Éte B.JPG").touch()
    (images / "sub" / "c.jpg").touch()
    (tmp_path / "secret.jpg").touch()
    (images / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (images / "loop.jpg").symlink_to(images / "loop.jpg")
    return PhotoFolder(images)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.jpg", "a.jpg"),
        ("A.JPG", "a.jpg"),
        ("éte b.jpg", "Éte B.JPG"),
        ("sub/c.jpg", "c.jpg"),
        ("sub\\c.jpg", "c.jpg"),
        ("photos/2020/a.jpg", "a.jpg"),
        (" a.jpg ", "a.jpg"),
    ],
)
def test_found(folder: PhotoFolder, name: str, found: str) -> None:
    path = folder.find(name)
    assert path is not None
    assert path.name == found


@pytest.mark.parametrize(
    "name",
    [
        *(None, "", "none.jpg", "link.jpg", "LINK.jpg", "loop.jpg", "sub", ".", "..", "/"),
        *("../secret.jpg", "sub/../../secret.jpg", "..\\secret.jpg", "a\x00.jpg", "x" * 5000),
    ],
)
def test_not_found(folder: PhotoFolder, name: str | None) -> None:
    assert folder.find(name) is None


def test_an_absolute_path_is_found_by_its_last_part_only(folder: PhotoFolder, tmp_path: Path) -> None:
    assert folder.find(str(tmp_path / "secret.jpg")) is None


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no folder"):
        PhotoFolder(tmp_path / "none")


LIMIT = 10_000


def row(**more: object) -> CatalogueRow:
    return CatalogueRow(1, 2, "sku", Content("a mug"), **more)  # type: ignore[arg-type]


@pytest.fixture
def picture_folder(tmp_path: Path) -> PhotoFolder:
    stream = io.BytesIO()
    Image.new("RGB", (8, 6)).save(stream, "PNG")
    for name, content in (("good.png", stream.getvalue()), ("words.jpg", b"no photo"), ("empty.jpg", b"")):
        (tmp_path / name).write_bytes(content)
    return PhotoFolder(tmp_path)


def test_a_photo_is_read_from_the_folder_or_the_row(picture_folder: PhotoFolder) -> None:
    content = photo_of_row(picture_folder, row(image_file="good.png"), LIMIT)
    assert content is not None
    assert photo_of_row(None, row(photo=content), LIMIT) == content
    assert photo_of_row(None, row(image_file="good.png"), LIMIT) is None
    assert photo_of_row(picture_folder, row(), LIMIT) is None


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"image_file": "words.jpg"}, "no photo of a known format"),
        ({"image_file": "empty.jpg"}, "0 bytes"),
        ({"image_file": "absent.jpg"}, "not in the folder"),
        ({"photo": b"no photo"}, "no photo of a known format"),
        ({"photo": b"\xff\xd8" + bytes(LIMIT)}, "too large"),
    ],
)
def test_what_is_no_photo_is_refused_with_the_reason(
    picture_folder: PhotoFolder, more: dict[str, object], why: str
) -> None:
    with pytest.raises(BadImage, match=why):
        photo_of_row(picture_folder, row(**more), LIMIT)
