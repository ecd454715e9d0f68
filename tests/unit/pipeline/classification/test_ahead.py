from __future__ import annotations

import threading

import pytest

from pipeline.classification.prefetch import prefetch


def test_results_come_in_order_and_never_more_than_allowed_wait() -> None:
    begun: list[int] = []
    used: list[int] = []
    most_waiting = 0

    def work(item: int) -> int:
        nonlocal most_waiting
        begun.append(item)
        most_waiting = max(most_waiting, len(begun) - len(used))
        return item * item

    for item, made in enumerate(prefetch(work, range(40), 3)):
        assert made == item * item
        used.append(item)
    assert most_waiting <= 4  # three ahead, and the one in use


def test_the_next_is_worked_on_while_the_one_before_is_used() -> None:
    second = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            second.set()
        return item

    results = prefetch(work, range(2), 2)
    assert next(results) == 0
    assert second.wait(10)
    assert list(results) == [1]


def test_a_single_item_needs_no_thread() -> None:
    assert list(prefetch(lambda _: threading.current_thread(), [0], 8)) == [threading.main_thread()]


def test_a_failure_comes_when_its_turn_does_and_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ValueError("this one breaks")
        return item

    results = prefetch(work, range(100), 2)
    assert next(results) == 0
    with pytest.raises(ValueError, match="this one breaks"):
        list(results)
    assert len(begun) < 10
