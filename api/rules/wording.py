"""The grounds of a proposed rule, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.web.rendering import percent

SAME, ALIKE = 0.9, 0.3  # of names
CLOSE, SOMEWHAT = 0.65, 0.2  # of texts
CONTRADICTION = 0.2


def grounds_in_words(rule: Mapping[str, Any]) -> list[str]:
    """Why a rule was proposed, a sentence a ground; for one that was not, nothing."""
    grounds = rule["grounds"]
    if not grounds:
        return []
    said = [_names(grounds.get("names", 0.0), rule["category"]), _texts(grounds.get("texts", 0.0), rule["category"])]
    said.append(_decisions(grounds.get("decided", 0), grounds.get("agreeing", 0), rule["category"]))
    if grounds.get("contradiction", 0.0) >= CONTRADICTION:
        said.append("These contradict each other.")
    rivals = [f"{rival['category']} ({percent(rival['belief'])})" for rival in grounds.get("rivals", ())]
    if rivals:
        said.append(f"It might also mean {' or '.join(rivals)}.")
    return said


def _names(alike: float, category: str | None) -> str:
    if category is None:
        return f"The nearest name of the taxonomy is {percent(alike)} alike."
    if alike >= SAME:
        return "The names are the same." if alike > 0.999 else f"The names are nearly the same ({percent(alike)})."
    return f"The names are {percent(alike)} alike." if alike >= ALIKE else "The names say nothing."


def _texts(alike: float, category: str | None) -> str:
    if category is None:
        return "Its listings read like those of no category."
    if alike >= CLOSE:
        return f"Its listings read like those of the category ({percent(alike)})."
    return (
        f"Its listings read somewhat like those ({percent(alike)})." if alike >= SOMEWHAT else "The texts say nothing."
    )


def _decisions(decided: int, agreeing: int, category: str | None) -> str:
    if not decided:
        return "None of its listings was decided when this was proposed."
    if category is None:
        return f"{decided} of its listings were decided, and do not agree."
    return f"{agreeing} of {decided} decided listings lie there."
