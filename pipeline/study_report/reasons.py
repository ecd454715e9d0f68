"""Why something is missing, in French: reasons are written in English where they arise, and are told again here.

The reasons of extractors, trials and workers are few and keep to their wording. What is unknown here (an error of some
library) stays as it was written.
"""

from __future__ import annotations

import re

STATUS = re.compile(r"(?:unavailable|failed): ")
# The remedy ends many a reason: commands, the same in both languages. Older studies say "add them with".
_REMEDY = re.compile(
    r"(?P<why>.+); (?:run|add them with): (?P<command>rayon models \S+ .+?)(?:, or: (?P<other>rayon models .+))?",
    re.DOTALL,
)

FRENCH: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(english, re.DOTALL), french)
    for english, french in (
        (r"(\S+) has no weights here", r"\1 n’a pas ses poids ici"),
        (r"(\S+) has no weights at (.+)", r"\1 n’a pas de poids à l’endroit \2"),
        (r"(\S+) has no module here", r"\1 n’a pas son module ici"),
        (
            r"(\S+) has no model (.+), and the hub does not give it \((.*)\)",
            r"\1 n’a pas de modèle \2, et le hub ne le donne pas (\3)",
        ),
        (r"(\S+) cannot be had from (\S+) \((.*)\)", r"\1 ne s’obtient pas de \2 (\3)"),
        (r"(\S+) needs (\S+) \((.*)\): (pip install .+)", r"il manque \2 à \1 (\3) : \4"),
        (r"(\S+) leads to (.+): unset (\w+)", r"\1 mène à \2 : retirez la variable \3"),
        (r"(\S+) could not be exported for serving: (.+)", r"\1 n’a pas pu être exporté pour servir : \2"),
        (
            r"exporting (\S+) for serving took more than (\d+) s; try again",
            r"l’export de \1 pour servir a pris plus de \2 s ; réessayez",
        ),
        (
            r"only (\d+) listings have a usable text; a trial needs (\d+)",
            r"annonces dont le texte est utilisable : \1 ; il en faut \2 pour un essai",
        ),
        (
            r"only (\d+) listings have a usable image; a trial needs (\d+)",
            r"annonces dont la photo est utilisable : \1 ; il en faut \2 pour un essai",
        ),
        (
            r"only (\d+) listings have a usable fused; a trial needs (\d+)",
            r"annonces dont le texte ou la photo est utilisable : \1 ; il en faut \2 pour un essai",
        ),
        (
            r"(\d+) listings are too few to learn from some and try the others",
            r"\1 annonces, c’est trop peu pour apprendre des unes et essayer sur les autres",
        ),
        (r"no listing has a usable text", r"aucune annonce n’a de texte utilisable"),
        (r"no listing has a usable photo", r"aucune annonce n’a de photo utilisable"),
        (
            r"the listings have neither texts nor photos that can be used",
            r"les annonces n’ont ni texte ni photo utilisables",
        ),
        (
            r"it took longer than the (\d+) seconds that (\w+) allows",
            r"cela a pris plus que les \1 secondes que permet \2",
        ),
        (r"there was not enough memory \((.*)\); study a sample", r"la mémoire a manqué (\1) ; étudiez un échantillon"),
        (
            r"its worker died (\d+) times while working on it alone",
            r"son travailleur est mort \1 fois en n’ayant que cela à faire",
        ),
        (r"(\d+) attempts failed; the last: (.+)", r"\1 tentatives ont échoué ; la dernière : \2"),
    )
)


def bare(reason: str) -> str:
    """The reason without the status that some begin with; the status is shown beside it."""
    return STATUS.sub("", reason, count=1) if STATUS.match(reason) else reason


def in_french(reason: str) -> str:
    """A bare reason in French where it is known, else unchanged."""
    remedy = _REMEDY.fullmatch(reason)
    why = remedy["why"] if remedy else reason
    for english, french in FRENCH:
        if (found := english.fullmatch(why)) is not None:
            told = found.expand(french)
            if remedy is None:
                return told
            other = f", ou : {remedy['other']}" if remedy["other"] else ""
            return f"{told} ; lancez : {remedy['command']}{other}"
    return reason
