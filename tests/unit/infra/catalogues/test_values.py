"""Cells: attributes, categories and images in the notations that shops use."""

from __future__ import annotations

import json

import pytest

from infra.catalogues.pictures import images_of
from infra.catalogues.values import attributes_of, category_of
from tests.unit.infra.catalogues.writing import opened


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
def test_attributes(value, expected):
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
def test_categories(value, expected):
    category, _ = category_of(value)
    assert (str(category) if category else None) == expected


def test_a_category_too_deep_is_left_out_with_a_note():
    category, note = category_of(" > ".join("abcdefghijklmnop"))
    assert category is None
    assert "left out" in note


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
def test_images(value, expected):
    assert images_of(value) == expected


def rows_named(folder, pairs):
    lines = [json.dumps({"id": n, "name": name, "category": path}) for n, (name, path) in enumerate(pairs)]
    return [row.content.seller_category for row in opened(folder, "a.ndjson", "\n".join(lines))]


def test_a_leaf_that_is_the_products_own_name_is_dropped(tmp_path):
    pairs = [(f"Akup mug number {n}", f"Kitchen > Mugs > AKUP mug number {n} (300 ml)") for n in range(9)]
    assert rows_named(tmp_path, [*pairs, ("Blue Curtains", "Home > Curtains")]) == ["Kitchen >> Mugs"] * 9 + [
        "Home >> Curtains"
    ]


def test_a_leaf_that_products_share_stays_though_they_are_named_after_it(tmp_path):
    pairs = [(f"Garant Ecological Milk {n % 2}", f"Dairy > Milk > Garant Ecological Milk {n % 2}") for n in range(10)]
    assert rows_named(tmp_path, pairs) == [f"Dairy >> Milk >> Garant Ecological Milk {n % 2}" for n in range(10)]


def test_an_attribute_column_does_not_repeat_the_specification(tmp_path):
    text = 'id,name,brand,colour,price,specifications\n1,n,X,red,9,"{""Brand"": ""X"", ""Fit"": ""slim""}"\n'
    (row,) = opened(tmp_path, "a.csv", text)
    assert row.content.attributes == {"Brand": "X", "Fit": "slim", "colour": "red"}
