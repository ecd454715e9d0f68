"""Grounds of proposals: read back as they were stored, also those of earlier programs."""

from __future__ import annotations

from pipeline.domain.rule_proposal import Grounds, RivalCategory


def test_grounds_are_read_back_as_they_were_stored() -> None:
    grounds = Grounds(0.5, 0.25, 7, 3, 0.2, 0.1, (RivalCategory("Home", 0.3),), ("tfidf",))
    assert Grounds.of_json(grounds.as_json()) == grounds


def test_what_an_earlier_program_did_not_store_has_its_default() -> None:
    assert Grounds.of_json({}) == Grounds()
    assert Grounds.of_json({"names": 0.5, "unknown": 1}) == Grounds(names=0.5)
