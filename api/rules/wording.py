"""The grounds of a proposed rule, as sentences."""

from __future__ import annotations

from api.web.rendering import percent
from pipeline.domain.rule import Grounds

NAMES_EQUAL, NAMES_SIMILAR = 0.9, 0.3
TEXTS_CLOSE, TEXTS_SIMILAR = 0.65, 0.2
CONTRADICTION = 0.2


def grounds_in_words(grounds: Grounds | None, category: str | None) -> list[str]:
    """Why a rule for this category was proposed, a sentence a ground; empty for a rule that was not proposed."""
    if grounds is None:
        return []
    sentences = [
        _names(grounds.names, category),
        _texts(grounds.texts, category),
        _decisions(grounds.decided, grounds.agreeing, category),
    ]
    if grounds.contradiction >= CONTRADICTION:
        sentences.append("These contradict each other.")
    if grounds.rivals:
        rivals = " or ".join(f"{rival.category} ({percent(rival.belief)})" for rival in grounds.rivals)
        sentences.append(f"It might also mean {rivals}.")
    return sentences


def _names(similarity: float, category: str | None) -> str:
    if category is None:
        return f"The nearest name in the taxonomy is {percent(similarity)} similar."
    if similarity >= NAMES_EQUAL:
        return (
            "The names are the same."
            if similarity > 0.999
            else f"The names are nearly the same ({percent(similarity)})."
        )
    if similarity >= NAMES_SIMILAR:
        return f"The names are {percent(similarity)} similar."
    return "The names are not similar."


def _texts(similarity: float, category: str | None) -> str:
    if category is None:
        return "Its listings read like those of no category."
    if similarity >= TEXTS_CLOSE:
        return f"Its listings read like those of the category ({percent(similarity)})."
    if similarity >= TEXTS_SIMILAR:
        return f"Its listings read somewhat like those of the category ({percent(similarity)})."
    return "The texts show no similarity."


def _decisions(decided: int, agreeing: int, category: str | None) -> str:
    if not decided:
        return "None of its listings was decided when this was proposed."
    if category is None:
        return f"{decided} of its listings were decided, and do not agree."
    return f"{agreeing} of its {decided} decided listings lie there."
