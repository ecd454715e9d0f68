"""Categories in cells: the notations of paths, several paths in one cell, and commas that belong to a name."""

from __future__ import annotations

import pytest

from infra.catalogue_files.category_cells import CategoryReader
from pipeline.domain.category_notation import CategoryChoice, CategoryNotation
from pipeline.domain.reason_code import ReasonCode

KNOWN = ["Home > Kitchen > Mugs", "Gifts > Mugs"]


def read(value: object, sample: list[object] | None = None) -> str | None:
    category = CategoryReader.of([value] if sample is None else sample).read(value).category
    return str(category) if category else None


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
    assert read(value) == expected


def test_a_category_too_deep_is_left_out_with_a_note() -> None:
    cell = CategoryReader.of([]).read(" > ".join("abcdefghijklmnop"))
    assert cell.category is None
    assert "left out" in str(cell.notes[0])


@pytest.mark.parametrize("separator", [" » ", " › ", " → ", "->", "::", "\\", ">", " ▸ "])
def test_separators_that_no_name_has_part_a_path_by_themselves(separator: str) -> None:
    assert read(separator.join(["Home", "Kitchen", "Mugs"])) == "Home >> Kitchen >> Mugs"


@pytest.mark.parametrize("separator", [":", " - ", " – ", "/", "|", "||", ", ", ";", "."])
def test_separators_that_names_have_too_part_what_the_catalogue_knows_as_a_path(separator: str) -> None:
    cell = separator.join(["Home", "Kitchen"])
    assert read(cell, [*KNOWN, cell]) == "Home >> Kitchen"


@pytest.mark.parametrize("name", ["TV/Audio", "Jewelry, Rings", "Kitchen, Garden & Pets", "Baby: 0-2", "Coca - Cola"])
def test_a_name_with_a_separator_in_it_stays_one_name(name: str) -> None:
    assert read(name, [*KNOWN, name]) == name


@pytest.mark.parametrize("between", [", ", ";", " | ", "\n"])
def test_of_several_paths_the_deepest_below_the_first_one_is_taken_with_a_note(between: str) -> None:
    cell = between.join(["Home > Kitchen", "Home > Kitchen > Mugs", "Gifts > Mugs"])
    found = CategoryReader.of([*KNOWN, cell]).read(cell)
    assert str(found.category) == "Home >> Kitchen >> Mugs"
    assert [note.code for note in found.notes] == [ReasonCode.CATEGORY_CHOSEN]
    assert "Gifts > Mugs" in str(found.notes[0])


def test_which_of_several_paths_is_taken_can_be_chosen() -> None:
    cells = ["A > B, C > D > E", "A > B", "A > B > X", "C > D > E", "A > B"]

    def chosen(choice: CategoryChoice) -> str:
        reader = CategoryReader.of(cells, CategoryNotation(choice=choice))
        return str(reader.read("A > B, A > B > X, C > D > E").category)

    assert chosen(CategoryChoice.FIRST) == "A >> B"
    assert chosen(CategoryChoice.DEEPEST_OF_FIRST) == "A >> B >> X"
    assert chosen(CategoryChoice.MOST_SPECIFIC) == "A >> B >> X"


@pytest.mark.parametrize(
    ("notation", "cell", "expected"),
    [
        (CategoryNotation(separator="/"), "Home/Bath, Body/Soap", "Home >> Bath, Body >> Soap"),
        (CategoryNotation(separator="/"), "Home > Kitchen/Mugs", "Home>Kitchen >> Mugs"),
        (CategoryNotation(separator="."), "home.kitchen.mugs", "home >> kitchen >> mugs"),
        (CategoryNotation(separator=" - "), "Home - Coca-Cola", "Home >> Coca-Cola"),
        (
            CategoryNotation(separator=":", list_separator=","),
            "Home:Mugs,Home:Mugs:Big,Gifts:Mugs",
            "Home >> Mugs >> Big",
        ),
        (CategoryNotation(separator=">", list_separator=""), "Home > Mugs, Cups | Jars", "Home >> Mugs, Cups | Jars"),
        (CategoryNotation(list_separator="#"), "Home > Mugs # Gifts > Big > Mugs", "Home >> Mugs"),
        (CategoryNotation(separator="/"), ["Home/Mugs", "Gifts"], "Home >> Mugs"),
        (CategoryNotation(separator="/"), "Home &amp; Garden/Salt &gt; Pepper", "Home & Garden >> Salt>Pepper"),
    ],
)
def test_a_set_notation_is_followed_whatever_the_catalogue_suggests(
    notation: CategoryNotation, cell: object, expected: str
) -> None:
    found = CategoryReader.of([*KNOWN, cell], notation).read(cell).category
    assert str(found) == expected
    if isinstance(cell, str):
        assert notation.read(cell) == found, "posted listings are read in the same way"


def test_a_comma_in_a_name_of_a_path_is_told_from_a_second_path() -> None:
    cells: list[object] = ["Home > Bath, Body > Soap", "Home > Kitchen", "Garden > Tools"]
    assert read(cells[0], cells) == "Home >> Bath, Body >> Soap"
    assert read("Home > Kitchen, Garden > Tools", cells) == "Home >> Kitchen"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("['Home' 'Kitchen']", "Home >> Kitchen"),
        ("['Home', 'Kitchen']", "Home >> Kitchen"),
        ('["Home > Kitchen", "Gifts"]', "Home >> Kitchen"),
        ('[["Home", "Kitchen"], ["Gifts"]]', "Home >> Kitchen"),
        ([{"id": 1, "name": "Home"}, {"id": 2, "name": "Kitchen"}], "Home >> Kitchen"),
        ([{"name": "Home"}], "Home"),
        ({"id": 7}, None),
        ({"path": "Home/Kitchen/Mugs"}, "Home >> Kitchen >> Mugs"),
        ("Epicerie &gt; Caf&eacute;s", "Epicerie >> Cafés"),
        ("Home &amp; Garden", "Home & Garden"),
    ],
)
def test_lists_objects_and_entities(value: object, expected: str | None) -> None:
    assert read(value) == expected


def test_a_platform_says_that_commas_part_paths_or_that_a_list_is_one() -> None:
    paths = CategoryReader.of([], comma_parts_paths=True)
    assert str(paths.read("Vêtements > Sweats, Promo").category) == "Vêtements >> Sweats"
    levels = CategoryReader.of([], list_is_path=True)
    assert str(levels.read("Snacks, Salty snacks, Chips").category) == "Snacks >> Salty snacks >> Chips"
