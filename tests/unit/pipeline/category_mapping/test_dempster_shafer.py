"""Grounds that agree strengthen each other, and those that contradict each other leave little belief in anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.category_mapping.dempster_shafer import beliefs, combine, deepest_believed, lower_bound, masses_of_shares

WINE, JUICE, CHAMPAGNE = "Drinks >> Wine", "Drinks >> Juice", "Drinks >> Wine >> Champagne"


def test_the_lower_bound_is_that_of_wilson() -> None:
    # Newcombe 1998, table I: 81 of 263.
    assert lower_bound(81, 263) == pytest.approx(0.2553, abs=5e-4)
    assert lower_bound(3, 3) == pytest.approx(0.4385, abs=5e-4)
    assert lower_bound(300, 300) > 0.98
    assert lower_bound(0, 0) == 0.0


def test_masses_of_shares_believe_in_each_category_by_its_own_bound() -> None:
    believed = beliefs(masses_of_shares({CHAMPAGNE: 150, JUICE: 150}, 300))
    assert believed[CHAMPAGNE] == pytest.approx(lower_bound(150, 300))
    assert believed["Drinks"] == pytest.approx(lower_bound(300, 300))


def test_grounds_that_agree_are_stronger_together_also_one_above_the_other() -> None:
    combination = combine(({WINE: 0.5}, {CHAMPAGNE: 0.5}))
    believed = beliefs(combination.masses)
    assert combination.contradiction == 0
    assert believed[WINE] == pytest.approx(0.75)
    assert believed[CHAMPAGNE] == pytest.approx(0.5)


def test_grounds_that_contradict_each_other_leave_little() -> None:
    combination = combine(({CHAMPAGNE: 0.85}, {JUICE: 0.9}))
    assert combination.contradiction == pytest.approx(0.765)
    assert max(beliefs(combination.masses).values()) < 0.25


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["A", "A >> B", "A >> C", "D", "D >> E"]), st.floats(0, 0.2, allow_nan=False), max_size=5
        ),
        max_size=4,
    )
)
def test_combined_masses_sum_up_to_one(grounds: list[dict[str, float]]) -> None:
    combination = combine(grounds)
    assert sum(combination.masses.values()) == pytest.approx(1)
    assert 0 <= combination.contradiction <= 1


def test_where_the_leaves_disagree_the_category_above_them_is_chosen() -> None:
    assert deepest_believed({"Drinks": 0.9, WINE: 0.5, JUICE: 0.4}) == "Drinks"
    assert deepest_believed({"Drinks": 0.9, WINE: 0.8, CHAMPAGNE: 0.75}) == CHAMPAGNE
    assert deepest_believed({"Drinks": 0.9, WINE: 0.8, CHAMPAGNE: 0.75}, excluded=[CHAMPAGNE]) == WINE
    assert deepest_believed({}) is None
