"""Lines for a terminal: ordinary text stays, control characters do not."""

from __future__ import annotations

import pytest

from workers.terminal_text import printable


@pytest.mark.parametrize("line", ["a mug", "كوب قهوة ☕", "two\nlines\tand a tab", "naïve 👩‍🍳"])
def test_ordinary_lines_stay(line: str) -> None:
    assert printable(line) == line


@pytest.mark.parametrize("line", ["\x1b[2Jgone", "over\rwritten", "\x9b31m", "\u202egnp.exe", "a\x07bell"])
def test_control_characters_are_replaced(line: str) -> None:
    assert printable(line).count("\ufffd") == 1
