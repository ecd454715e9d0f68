"""Cells: texts, attributes and images in the notations that shops use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.catalogue_files.cell_values import attributes_of, images_of, photo_of, prose_of
from tests.unit.infra.catalogue_files.files import content_of, opened


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            '{"product_specification"=>[{"key"=>"Brand", "value"=>"X \\"Y\\""}, {"value"=>"no key"}]}',
            {"Brand": 'X "Y"'},
        ),
        ('{"product_specification"=>{"key"=>"Type", "value"=>"Mug, {big}"}}', {"Type": "Mug, {big}"}),
        ('{"product_specification"=>{"key"=>"Type", "value"=>"Mug"}}', {"Type": "Mug"}),
        ('{"product_specification"=>[{"value"=>"v", "key"=>"k"}]}', {"k": "v"}),
        ('{"product_specification"=>nil}', {}),
        ('{"Brand"=>"X", "Size"=>"L"}', {"Brand": "X", "Size": "L"}),
        (
            '{"Brand": "X", "Sizes": ["S", "M"], "None": null, "Weight": 3}',
            {"Brand": "X", "Sizes": "S, M", "Weight": "3"},
        ),
        ('[{"key": "a", "value": "b"}, {"name": "c", "value": "d"}, 7]', {"a": "b", "c": "d"}),
        ({"a": {"nested": 1, "x": ["y", 2]}, "b": "c", "d": {}}, {"a": "nested: 1, x: y, 2", "b": "c"}),
        ("{cut", {}),
        ("free text", {}),
        (None, {}),
    ],
)
def test_attributes(value: object, expected: dict[str, str]) -> None:
    assert attributes_of(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a.jpg", ([], ["a.jpg"])),
        ("https://h/a,b.jpg", (["https://h/a,b.jpg"], [])),
        ("https://h/a.jpg, http://h/b.jpg", (["https://h/a.jpg", "http://h/b.jpg"], [])),
        ("https://h/a.jpg|https://h/a.jpg", (["https://h/a.jpg"], [])),
        ('["https://h/a.jpg", "b.jpg"]', (["https://h/a.jpg"], ["b.jpg"])),
        ([{"url": "https://h/a.jpg"}, None, "b.jpg"], (["https://h/a.jpg"], ["b.jpg"])),
        ("//h/a.jpg", (["https://h/a.jpg"], [])),
        ("https://h/a.jpg|https://h/b.jpg|", (["https://h/a.jpg", "https://h/b.jpg"], [])),
        ("https://h/my photo (1).jpg", (["https://h/my photo (1).jpg"], [])),
        ("a.jpg,b.jpg", ([], ["a.jpg", "b.jpg"])),
        ("Lamp, blue.jpg", ([], ["Lamp, blue.jpg"])),
        ("ftp://h/a.jpg", ([], [])),
        ("nan", ([], [])),
    ],
)
def test_images(value: object, expected: tuple[list[str], list[str]]) -> None:
    assert images_of(value) == expected


def rows_named(folder: Path, pairs: list[tuple[str, str]]) -> list[str | None]:
    lines = [json.dumps({"id": n, "name": name, "category": path}) for n, (name, path) in enumerate(pairs)]
    return [content_of(row).seller_category for row in opened(folder, "a.ndjson", "\n".join(lines))]


def test_a_leaf_that_is_the_products_own_name_is_dropped(tmp_path: Path) -> None:
    pairs = [(f"Akup mug number {n}", f"Kitchen > Mugs > AKUP mug number {n} (300 ml)") for n in range(9)]
    assert rows_named(tmp_path, [*pairs, ("Blue Curtains", "Home > Curtains")]) == ["Kitchen >> Mugs"] * 9 + [
        "Home >> Curtains"
    ]


def test_a_leaf_that_products_share_stays_though_they_are_named_after_it(tmp_path: Path) -> None:
    pairs = [(f"Garant Ecological Milk {n % 2}", f"Dairy > Milk > Garant Ecological Milk {n % 2}") for n in range(10)]
    assert rows_named(tmp_path, pairs) == [f"Dairy >> Milk >> Garant Ecological Milk {n % 2}" for n in range(10)]


def test_an_attribute_column_does_not_repeat_the_specification(tmp_path: Path) -> None:
    text = 'id,name,brand,colour,price,specifications\n1,n,X,red,9,"{""Brand"": ""X"", ""Fit"": ""slim""}"\n'
    (row,) = opened(tmp_path, "a.csv", text)
    assert content_of(row).attributes == {"Brand": "X", "Fit": "slim", "colour": "red"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  a\n", "a"),
        (["a", None, ["b", "c"], {"k": "v"}], "a\nb, c\nk: v"),
        ({"de": "Tasse", "fr": "", "sizes": ["S", "M"]}, "de: Tasse\nsizes: S, M"),
        (b"bytes", "bytes"),
        (b"\xff", ""),
        (3, "3"),
        (3017620422003.0, "3017620422003"),
        ({"en": "Mug", "fr": "Tasse"}, "Mug"),
        ([{"lang": "fr", "text": "Tasse"}, {"lang": "de", "text": "Tasse"}], "Tasse"),
        ({"@type": "Brand", "name": "Acme"}, "Acme"),
        (None, ""),
        ([], ""),
    ],
)
def test_any_cell_reads_as_text(value: object, text: str) -> None:
    assert prose_of(value) == text


def test_what_is_nested_without_end_is_left_out() -> None:
    deep: object = "x"
    for _ in range(5_000):
        deep = [deep]
    assert prose_of(deep) == ""
    assert attributes_of({"a": deep, "b": "c", "tree": [{"k": "v" * 90}] * 99}) == {"b": "c"}


@pytest.mark.parametrize(
    ("value", "images", "files", "photo"),
    [
        ({"bytes": b"\x89PNG\r\n", "path": "a.png"}, [], ["a.png"], b"\x89PNG\r\n"),
        ({"bytes": None, "path": "https://h/a.jpg"}, ["https://h/a.jpg"], [], None),
        ([{"url": None, "path": "a.jpg"}, {"src": "https://h/b.jpg"}], ["https://h/b.jpg"], ["a.jpg"], None),
        (b"GIF89a\x01\x00\x01\x00", [], [], b"GIF89a\x01\x00\x01\x00"),
        (b"folder/a.jpg", [], ["folder/a.jpg"], None),
        ({"bytes": b"<html>no photo</html>"}, [], [], b"<html>no photo</html>"),
        (b"", [], [], None),
        (7, [], ["7"], None),
    ],
)
def test_pictures_of_nested_cells_and_bytes(
    value: object, images: list[str], files: list[str], photo: bytes | None
) -> None:
    assert images_of(value) == (images, files)
    assert photo_of(value) == photo
