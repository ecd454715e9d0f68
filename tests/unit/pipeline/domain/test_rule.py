"""Rules: the error for a file of rules that cannot be used."""

from __future__ import annotations

from pipeline.domain.rule import InvalidRuleLines


def test_refused_lines_name_the_first_three_and_count_the_others() -> None:
    problems = {4: "d", 2: "b", 1: "a", 3: "c"}
    assert str(InvalidRuleLines(problems)) == "nothing was changed; line 1: a; line 2: b; line 3: c; and 1 more"
    del problems[4]
    refused = InvalidRuleLines(problems)
    assert str(refused) == "nothing was changed; line 1: a; line 2: b; line 3: c"
    assert list(refused.problems) == [1, 2, 3]
