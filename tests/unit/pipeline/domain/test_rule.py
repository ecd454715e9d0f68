"""Rules: the error for a file of rules that cannot be used."""

from __future__ import annotations

import pytest

from pipeline.domain.errors import InvalidInput
from pipeline.domain.rule import (
    MAX_SOURCE_CATEGORY_LENGTH,
    InvalidRuleLines,
    source_category_name,
    unknown_category_error,
)


def test_refused_lines_name_the_first_three_and_count_the_others() -> None:
    problems = {4: "d", 2: "b", 1: "a", 3: "c"}
    assert str(InvalidRuleLines(problems)) == "nothing was changed; line 1: a; line 2: b; line 3: c; and 1 more"
    del problems[4]
    refused = InvalidRuleLines(problems)
    assert str(refused) == "nothing was changed; line 1: a; line 2: b; line 3: c"
    assert list(refused.problems) == [1, 2, 3]


def test_the_name_of_a_category_of_a_source_has_a_limit() -> None:
    assert source_category_name(f" {'x' * MAX_SOURCE_CATEGORY_LENGTH} ") == "x" * MAX_SOURCE_CATEGORY_LENGTH
    for text in ("", "  ", "x" * (MAX_SOURCE_CATEGORY_LENGTH + 1)):
        with pytest.raises(InvalidInput, match="1 to 200 characters"):
            source_category_name(text)


def test_an_unknown_category_is_answered_with_those_like_it() -> None:
    known = ["Home >> Curtains", "Garden >> Spades", "Kitchen"]
    assert "similar categories: Home >> Curtains" in str(unknown_category_error("Homes >> Curtain", known))
    assert "similar categories: Kitchen" in str(unknown_category_error("Kitten wear", known)), "half alike is enough"
    assert "similar" not in str(unknown_category_error("zzzzzz", known))
