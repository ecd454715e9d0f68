"""Texts: characters that show nothing are removed by every reader, and control characters before printing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from api.parameters import cleaned
from infra.catalogue_files.cell_values import text_of
from pipeline.domain.display_text import join_names, replace_control_characters

READERS: list[Callable[[str], object]] = [cleaned, text_of]


@pytest.mark.parametrize("text", ["\u200b", "\u202e \u200f", "\ufeff\u2060", "\x01\x1b", "\u00a0", "\u00ad"])
@pytest.mark.parametrize("read", READERS)
def test_a_text_without_visible_characters_is_empty(read: Callable[[str], object], text: str) -> None:
    assert read(text) == ""


@pytest.mark.parametrize("text", ["a\u200bb", "\u202eevil", "مزهرية", "👩\u200d🍳", "0", "-"])
@pytest.mark.parametrize("read", READERS)
def test_a_text_with_visible_characters_is_unchanged(read: Callable[[str], object], text: str) -> None:
    assert read(text) == text


def test_a_list_in_a_sentence_names_the_first_and_counts_the_rest() -> None:
    assert join_names([]) == ""
    assert join_names(["a", "b"]) == "a, b"
    assert join_names(["a", "b"], 2) == "a, b"
    assert join_names([f"shop {n}" for n in range(50)], 2) == "shop 0, shop 1 and 48 more"


@pytest.mark.parametrize("line", ["a mug", "كوب قهوة ☕", "two\nlines\tand a tab", "naïve 👩‍🍳"])
def test_ordinary_lines_stay(line: str) -> None:
    assert replace_control_characters(line) == line


@pytest.mark.parametrize("line", ["\x1b[2Jgone", "over\rwritten", "\x9b31m", "\u202egnp.exe", "a\x07bell"])
def test_control_characters_are_replaced(line: str) -> None:
    assert replace_control_characters(line).count("\ufffd") == 1
