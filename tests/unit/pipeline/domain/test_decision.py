"""Decisions: final unless they say that they are provisional."""

from __future__ import annotations

from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.reason import Reason


def test_a_decision_is_final_by_default() -> None:
    assert not Decision(DecisionStatus.ASSIGNED, "Home", 0.9, Reason.other("sure")).provisional
