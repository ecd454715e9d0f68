"""Photos are found in their folder, and only there."""

from __future__ import annotations

import pytest

from infra.catalogue_files.photos import PhotoFolder
from pipeline.domain.errors import InvalidInput


@pytest.fixture
def folder(tmp_path):
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
def test_found(folder, name, found):
    assert folder.find(name).name == found


@pytest.mark.parametrize(
    "name",
    [
        *(None, "", "none.jpg", "link.jpg", "LINK.jpg", "loop.jpg", "sub", ".", "..", "/"),
        *("../secret.jpg", "sub/../../secret.jpg", "..\\secret.jpg", "a\x00.jpg", "x" * 5000),
    ],
)
def test_not_found(folder, name):
    assert folder.find(name) is None


def test_an_absolute_path_is_found_by_its_last_part_only(folder, tmp_path):
    assert folder.find(str(tmp_path / "secret.jpg")) is None


def test_a_missing_folder_says_so(tmp_path):
    with pytest.raises(InvalidInput, match="no folder"):
        PhotoFolder(tmp_path / "none")
