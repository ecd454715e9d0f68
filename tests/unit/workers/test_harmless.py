"""Lines for a terminal: what is ordinary stays, what commands the terminal does not."""

from __future__ import annotations

import pytest

from workers.terminal_text import harmless


@pytest.mark.parametrize("line", ["a mug", "كوب قهوة ☕", "two\nlines\tand a tab", "naïve 👩‍🍳"])
def test_ordinary_lines_stay(line: str) -> None:
    assert harmless(line) == line


@pytest.mark.parametrize("line", ["\x1b[2Jgone", "over\rwritten", "\x9b31m", "\u202egnp.exe", "a\x07bell"])
def test_nothing_commands_the_terminal(line: str) -> None:
    assert harmless(line).count("\ufffd") == 1
