"""Categories are read from what sellers write, and have one canonical text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.category import MAX_DEPTH, Category
from pipeline.domain.errors import InvalidCategory


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Home", ("Home",)),
        ("Home >> Curtains", ("Home", "Curtains")),
        ("Home>>Curtains", ("Home", "Curtains")),
        ("Home > Curtains", ("Home", "Curtains")),
        ("Home / Curtains", ("Home", "Curtains")),
        ("  Home  Furnishing >>  Curtains >> ", ("Home Furnishing", "Curtains")),
        ("TV/Video >> Stands", ("TV/Video", "Stands")),
    ],
)
def test_parse(text: str, path: tuple[str, ...]) -> None:
    assert Category.parse(text).path == path


@pytest.mark.parametrize("text", ["", "  ", ">>", " >> >> ", " >> ".join("x" * (MAX_DEPTH + 1)), "x" * 501])
def test_unusable_categories_are_refused(text: str) -> None:
    with pytest.raises(InvalidCategory):
        Category.parse(text)


@given(st.lists(st.from_regex(r"[A-Za-z&]{1,8}", fullmatch=True), min_size=1, max_size=MAX_DEPTH))
def test_the_canonical_text_reads_back_as_the_same_category(parts: list[str]) -> None:
    category = Category(tuple(parts))
    assert Category.parse(str(category)) == category


def test_levels_count_from_the_top() -> None:
    category = Category.parse("A >> B >> C")
    assert category.level == 3
    assert [str(category.at_level(n)) for n in (1, 2, 3, 4)] == ["A", "A >> B", "A >> B >> C", "A >> B >> C"]


@pytest.mark.parametrize("separator", [" > ", ">", " >> ", " » ", "›", " → ", "->", "::", " / ", " | ", " &gt; "])
def test_paths_are_read_in_the_notations_of_files(separator: str) -> None:
    assert Category.read(separator.join(["Home", "TV/Audio"])).path == ("Home", "TV/Audio")
