"""Notations as users give them, and texts read by them."""

from __future__ import annotations

import pytest

from pipeline.domain.category import Category
from pipeline.domain.category_notation import RECOGNISED, CategoryChoice, CategoryNotation
from pipeline.domain.errors import InvalidCategory, InvalidInput


@pytest.mark.parametrize(
    ("separator", "list_separator", "choice", "expected"),
    [
        (None, None, "", RECOGNISED),
        ("/", "newline", "first", CategoryNotation("/", "\n", CategoryChoice.FIRST)),
        ("TAB", "\\n", None, CategoryNotation("\t", "\n")),
        (" - ", "", "specific", CategoryNotation(" - ", "", CategoryChoice.MOST_SPECIFIC)),
        (" ", None, None, CategoryNotation(" ")),
    ],
)
def test_notations_as_users_write_them(
    separator: str | None, list_separator: str | None, choice: str | None, expected: CategoryNotation
) -> None:
    assert CategoryNotation.of(separator, list_separator, choice) == expected


@pytest.mark.parametrize(
    ("separator", "list_separator", "choice", "message"),
    [
        ("", None, None, "separator is empty"),
        ("x", None, None, "without letters"),
        (">" * 11, None, None, "at most 10"),
        ("/", "/", None, "give different ones"),
        ("/", None, "last", "choose one of deepest, first, specific"),
    ],
)
def test_a_notation_that_cannot_be_used_is_refused(
    separator: str | None, list_separator: str | None, choice: str | None, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        CategoryNotation.of(separator, list_separator, choice)


@pytest.mark.parametrize("text", ["Home >> Mugs", "Home &gt; Mugs", "Home » Mugs", "Home, Garden", "A / B | C"])
def test_without_a_notation_a_text_is_read_as_ever(text: str) -> None:
    assert RECOGNISED.read(text) == Category.read(text)


@pytest.mark.parametrize("text", ["", " / ", ";;"])
def test_a_text_without_a_name_holds_no_category(text: str) -> None:
    with pytest.raises(InvalidCategory):
        CategoryNotation("/", ";").read(text)


def test_options_of_one_import_come_before_those_of_the_source() -> None:
    stored = CategoryNotation("/", ";", CategoryChoice.FIRST)
    assert CategoryNotation(">").merged_with(stored) == CategoryNotation(">", ";", CategoryChoice.FIRST)
    assert CategoryNotation(list_separator="").merged_with(stored) == CategoryNotation("/", "", CategoryChoice.FIRST)
