"""Cells: attributes, categories and images in the notations that shops use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.catalogue_files.cell_values import attributes_of, category_of, images_of, photo_of, prose_of
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
        ('["A >> B  b >> C"]', "A >> B b >> C"),
        ('["A >> B >> Some long prod..."]', "A >> B"),
        ('["A >> B >> Some long pr', "A >> B >> Some long pr"),
        ("A > B", "A >> B"),
        ("A>B", "A >> B"),
        ("A | B", "A >> B"),
        ("A / B", "A >> B"),
        ("/A/B", "A >> B"),
        ("A/B/C", "A >> B >> C"),
        ("TV/Audio", "TV/Audio"),
        ("TV/Audio > Radio", "TV/Audio >> Radio"),
        (["A", "B"], "A >> B"),
        (["A > B", "C > D"], "A >> B"),
        ("Only...", None),
        ("", None),
        (None, None),
        ("nan", None),
    ],
)
def test_categories(value: object, expected: str | None) -> None:
    category, _ = category_of(value)
    assert (str(category) if category else None) == expected


def test_a_category_too_deep_is_left_out_with_a_note() -> None:
    category, note = category_of(" > ".join("abcdefghijklmnop"))
    assert category is None
    assert "left out" in str(note)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a.jpg", ([], "a.jpg")),
        ("https://h/a,b.jpg", (["https://h/a,b.jpg"], None)),
        ("https://h/a.jpg, http://h/b.jpg", (["https://h/a.jpg", "http://h/b.jpg"], None)),
        ("https://h/a.jpg|https://h/a.jpg", (["https://h/a.jpg"], None)),
        ('["https://h/a.jpg", "b.jpg"]', (["https://h/a.jpg"], "b.jpg")),
        ([{"url": "https://h/a.jpg"}, None, "b.jpg"], (["https://h/a.jpg"], "b.jpg")),
        ("ftp://h/a.jpg", ([], None)),
        ("nan", ([], None)),
    ],
)
def test_images(value: object, expected: tuple[list[str], str | None]) -> None:
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
    assert category_of(deep) == (None, None)
    assert attributes_of({"a": deep, "b": "c", "tree": [{"k": "v" * 90}] * 99}) == {"b": "c"}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([["A", "B"], ["C"]], "A >> B"),
        ({"path": "A > B", "id": 7}, "A >> B"),
        ([{"name": "A"}, {"name": "B"}], "A"),
        ({"id": 7}, None),
    ],
)
def test_category_of_nested_cells(value: object, path: str | None) -> None:
    category, note = category_of(value)
    assert (str(category) if category else None, note) == (path, None)


@pytest.mark.parametrize(
    ("value", "images", "file", "photo"),
    [
        ({"bytes": b"\x89PNG\r\n", "path": "a.png"}, [], "a.png", b"\x89PNG\r\n"),
        ({"bytes": None, "path": "https://h/a.jpg"}, ["https://h/a.jpg"], None, None),
        ([{"url": None, "path": "a.jpg"}, {"src": "https://h/b.jpg"}], ["https://h/b.jpg"], "a.jpg", None),
        (b"GIF89a\x01\x00\x01\x00", [], None, b"GIF89a\x01\x00\x01\x00"),
        (b"folder/a.jpg", [], "folder/a.jpg", None),
        ({"bytes": b"<html>no photo</html>"}, [], None, b"<html>no photo</html>"),
        (b"", [], None, None),
        (7, [], "7", None),
    ],
)
def test_pictures_of_nested_cells_and_bytes(
    value: object, images: list[str], file: str | None, photo: bytes | None
) -> None:
    assert images_of(value) == (images, file)
    assert photo_of(value) == photo
