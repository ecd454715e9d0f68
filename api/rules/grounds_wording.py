"""The grounds of a proposed rule as localised sentences."""

from __future__ import annotations

from pipeline.domain.rule_proposal import Grounds
from pipeline.localisation.localised_text import Language

NEARLY_EQUAL_NAMES, SIMILAR_NAMES = 0.9, 0.3
VERY_SIMILAR_TEXTS, SIMILAR_TEXTS = 0.65, 0.2
MIN_MENTIONED_CONTRADICTION = 0.2


def grounds_in_words(language: Language, grounds: Grounds | None, category: str | None) -> list[str]:
    """Why a rule for this category was proposed, one sentence per ground; empty for a rule that was not proposed."""
    if grounds is None:
        return []
    sentences = [
        _names_sentence(language, grounds.names, category),
        _texts_sentence(language, grounds.texts, category),
        _decisions_sentence(language, grounds.decided, grounds.agreeing, category),
    ]
    if grounds.contradiction >= MIN_MENTIONED_CONTRADICTION:
        sentences.append(language.gettext("These contradict each other."))
    if grounds.rivals:
        rivals = [f"{rival.category} ({language.confidence(rival.belief)})" for rival in grounds.rivals]
        alternatives = language.pgettext("between two alternatives", " or ").join(rivals)
        sentences.append(language.gettext("It might also mean {categories}.", categories=alternatives))
    return sentences


def _names_sentence(language: Language, similarity: float, category: str | None) -> str:
    share = language.confidence(similarity)
    if category is None:
        return language.gettext("The nearest name in the taxonomy is {share} similar.", share=share)
    if similarity > 0.999:
        return language.gettext("The names are the same.")
    if similarity >= NEARLY_EQUAL_NAMES:
        return language.gettext("The names are nearly the same ({share}).", share=share)
    if similarity >= SIMILAR_NAMES:
        return language.gettext("The names are {share} similar.", share=share)
    return language.gettext("The names are not similar.")


def _texts_sentence(language: Language, similarity: float, category: str | None) -> str:
    share = language.confidence(similarity)
    if category is None:
        return language.gettext("Its listings read like those of no category.")
    if similarity >= VERY_SIMILAR_TEXTS:
        return language.gettext("Its listings read like those of the category ({share}).", share=share)
    if similarity >= SIMILAR_TEXTS:
        return language.gettext("Its listings read somewhat like those of the category ({share}).", share=share)
    return language.gettext("The texts show no similarity.")


def _decisions_sentence(language: Language, decided: int, agreeing: int, category: str | None) -> str:
    if not decided:
        return language.gettext("None of its listings was decided when this was proposed.")
    if category is None:
        return language.ngettext(
            "{n} of its listings was decided, which says nothing yet.",
            "{n} of its listings were decided, and do not agree.",
            decided,
        )
    return language.ngettext(
        "{n} of its {all} decided listings lies there.",
        "{n} of its {all} decided listings lie there.",
        agreeing,
        all=language.count(decided),
    )
