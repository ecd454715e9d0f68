"""What the ids of a catalogue look like, learned from its first rows, to tell rows from debris."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

ENOUGH = 20
MOST = 0.95


@dataclass(frozen=True, slots=True)
class IdRule:
    """A pattern that the ids follow. A ``specific`` one is unlikely to be met by chance, so a misfit is no row."""

    name: str
    pattern: re.Pattern[str]
    specific: bool

    def fits(self, text: str) -> bool:
        """Whether the text could be an id of this catalogue."""
        return self.pattern.fullmatch(text.strip()) is not None


CANDIDATES = (
    IdRule("a UUID", re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), specific=True),
    IdRule("32 hexadecimal digits", re.compile(r"[0-9a-fA-F]{32}"), specific=True),
    IdRule("24 hexadecimal digits", re.compile(r"[0-9a-fA-F]{24}"), specific=True),
    IdRule("40 hexadecimal digits", re.compile(r"[0-9a-fA-F]{40}"), specific=True),
    IdRule("64 hexadecimal digits", re.compile(r"[0-9a-fA-F]{64}"), specific=True),
    IdRule("10 characters, as an ASIN", re.compile(r"B0[0-9A-Z]{8}"), specific=True),
    IdRule("digits", re.compile(r"\d{1,20}"), specific=False),
    IdRule("no spaces", re.compile(r"\S{1,200}"), specific=False),
)


def learn_rule(ids: Sequence[str]) -> IdRule | None:
    """The narrowest rule that at least 95 % of the ids follow; None when there are fewer than 20 or none does."""
    if len(ids) < ENOUGH:
        return None
    for rule in CANDIDATES:
        if sum(map(rule.fits, ids)) >= MOST * len(ids):
            return rule
    return None
