"""What Prefer: wait asks for."""

from __future__ import annotations

import pytest

from api.listings.routes import seconds_to_wait


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ("", None),
        ("wait=5", 5),
        ("Wait = 5", 5),
        ('respond-async, wait="7"', 7),
        ("wait=5, respond-async", 5),
        ("wait=99999", 30),
        ("wait=-1", None),
        ("wait=soon", None),
        ("await=5", None),
        ("wait=5x", None),
    ],
)
def test_seconds(prefer: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(prefer, 30) == seconds
