"""Tests of a group run in one process, one after the other."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("a group")
def test_the_scheduler_knows_the_group_of_a_test(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("tests are not spread by groups here")
    assert request.node.nodeid.endswith("@a group")
