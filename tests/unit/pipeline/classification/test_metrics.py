from __future__ import annotations

import numpy as np
import pytest

from pipeline.classification.metrics import accuracy_difference, accuracy_interval


def test_a_paired_difference_is_surer_than_two_accuracies() -> None:
    right = np.arange(400) % 5 > 0
    better = right.copy()
    better[:20:5] = True
    gain = accuracy_difference(better, right)
    assert gain.mean == pytest.approx(4 / 400)
    assert 0 < gain.low < gain.mean < gain.high < 0.03
    alone = accuracy_interval(right)
    assert alone.mean == pytest.approx(0.8)
    assert 0.75 < alone.low < 0.8 < alone.high < 0.85
    same = accuracy_difference(right, right)
    assert (same.mean, same.low, same.high) == (0, 0, 0)
