"""Words of a product's name without those that tell its variants apart: sizes, colours, packs, numbers."""

from __future__ import annotations

import re

from pipeline.features.text_cleaning import stem

_SIZES = """
xxxs xxs xs s m l xl xxl xxxl xxxxl 2xs 3xs 2xl 3xl 4xl 5xl 6xl 2x 3x 4x size sizes taille tailles small medium large
petit petite moyen moyenne grand grande unique free tu
"""
_COLOURS = """
black white grey gray silver gold golden red maroon burgundy pink rose fuchsia magenta purple violet lavender lilac blue
navy turquoise teal cyan aqua indigo green olive mint khaki lime yellow mustard orange coral peach brown beige cream
ivory tan camel bronze copper multicolor multicolour multi transparent clear colour color dark light pale deep
noir noire blanc blanche gris grise argent argente dore doree rouge bordeaux prune mauve lilas bleu bleue marine vert
verte jaune moutarde corail marron brun brune creme ivoire ecru couleur couleurs multicolore clair claire fonce foncee
"""
_PACKS = "pack packs set sets pcs pc piece pieces lot lots paire pair pairs x of de"
_UNITS = "mm cm m km in inch inches ft ml cl l g gr gm gms kg mg oz lb lbs gb tb mb w v mah hz po pouces years ans"
VARIANT_WORDS = frozenset(f"{_SIZES} {_COLOURS} {_PACKS} {_UNITS}".split())
_NUMBER = re.compile(rf"\d+(?:[.,/x*+-]\d+)*(?:{'|'.join(_UNITS.split())}|%|\")?")
_WORD = re.compile(r"[^\W_]+(?:[-'.,/*+][^\W_]+)*[%\"]?")
_ACCENTS = str.maketrans("àâäéèêëîïôöùûüçñ", "aaaeeeeiioouuucn")


def words(text: str) -> list[str]:
    """The words of a text in lower case, numbers and codes included."""
    return _WORD.findall(text.casefold())


def product_words(text: str) -> list[str]:
    """The stems of the words that do not name a size, a colour, a pack or a number, in their order."""
    plain = (word.translate(_ACCENTS) for word in words(text))
    return [stem(word) for word in plain if word not in VARIANT_WORDS and not _NUMBER.fullmatch(word)]
