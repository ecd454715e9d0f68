"""Reduce sellers' texts, English and French, to the words that may describe the product.

Markup, web and email addresses, prices, numbers, stop words and phrases common to all shops are removed; a quantity is
replaced by its kind of measure (``213 cm`` becomes ``#length``). Only the first MAX_TEXT_LENGTH characters of a text
are read, so that a name of 100 kB costs no more than a long description. Every regular expression here runs in linear
time.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

import snowballstemmer

MAX_TEXT_LENGTH = 8_000
MAX_WORD_LENGTH = 40

_MARKUP = re.compile(r"<[a-zA-Z/!][^<>]{0,300}>")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S{1,64}@\S{1,190}\.\w{2,10}")
_PRICE = re.compile(
    r"(?:\brs\.?|\binr\b|\beur\b|\busd\b|\bgbp\b|[$€£₹])\s?\d[\d.,]{0,20}|(?<![\d.,])\d[\d.,]{0,20}\s?(?:[$€£₹]|(?:euros?|eur|usd|rupees)\b)"
)
_MEASURES = {
    "#length": "mm|cm|m|km|inch|inches|in|ft|feet|pouces?|metres?|meters?",
    "#volume": "ml|cl|l|ltr|litres?|liters?|fl",
    "#weight": "mg|g|gm|gms|gr|kg|kgs|oz|lb|lbs|grammes?|grams?",
    "#storage": "kb|mb|gb|tb|go|mo|to",
    "#power": "w|kw|watts?|v|volts?|mah|ah|amp|hz|mhz|ghz",
    "#screen": "px|pixels?|mp|megapixels?|dpi",
    "#age": "years?|yrs?|months?|ans?|mois",
}
_QUANTITY = re.compile(
    r"(?<![\w.,])\d[\d.,]{0,20}\s?(?:" + "|".join(f"({units})" for units in _MEASURES.values()) + r")\b(?!\s?['’])"
)
_MEASURE_NAMES = tuple(_MEASURES)
_WORD = re.compile(r"#[a-z]+|\w+(?:[-'’]\w+)*|[^\w\s]+")
_ELISION = re.compile(r"^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)['’]|['’]s$")

_SHOP_PHRASES = re.compile(
    r"\b(?:"
    r"free (?:shipping|delivery|returns?)|cash on delivery"
    r"|(?:\d+[ -]days?|money[ -]back) (?:replacement|return)? ?guarantee"
    r"|replacement guarantee|genuine products?|(?:best|low(?:est)?) prices?(?: online| guaranteed)?"
    r"|add to (?:cart|basket)"
    r"|(?:buy|shop|order) (?:it )?(?:now|online|today)|in stock|key features of|specifications of|all rights reserved"
    r"|livraison (?:gratuite|offerte|rapide)|satisfait ou rembourse|retours? gratuits?"
    r"|paiement (?:securise|a la livraison)"
    r"|ajouter au panier|meilleurs? prix|en stock|acheter (?:maintenant|en ligne)|neuf (?:et )?jamais porte"
    r")\b"
)
_STOP_WORD_LIST = """
    a an and are as at be been but by can do for from get had has have he her his how if in into is it its just
    may more most no not of on only or other our out over she should so some such than that the their them then
    there these they this those to too up use very was we were what when which while who will with you your yes
    all any also am about au aux avec ce ces cette dans de des du elle en est et eux il ils je la le les leur
    leurs lui ma mais me mes mon ne nos notre nous on ou par pas pour plus qu que qui sa sans se ses son sont sur
    ta te tes toi ton tu un une vos votre vous y aussi comme donc etre fait si tous tout toute toutes tres
    """
STOP_WORDS = frozenset(_STOP_WORD_LIST.split())


def phrases(text: str) -> list[list[str]]:
    """Words in order, split at punctuation and at removed words, so that no word pair spans a gap.

    Lower case, without accents; an empty list when nothing is left. Works for any characters.
    """
    result: list[list[str]] = []
    current: list[str] = []
    for token in _WORD.findall(_normalise(text)):
        words = _short_words(token) if len(token) <= MAX_WORD_LENGTH else _words(token)
        if not words:
            if current and token not in STOP_WORDS:
                result.append(current)
                current = []
            continue
        current.extend(words)
    if current:
        result.append(current)
    return result


def words(text: str) -> list[str]:
    """All words of ``phrases``, in order."""
    return [word for phrase in phrases(text) for word in phrase]


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The stem of an English word (Snowball, Porter 2); measures such as ``#length`` stay as they are."""
    return word if word.startswith("#") else str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("english")


def _normalise(text: str) -> str:
    """Lower-case text without markup, accents, addresses, prices and shop phrases; quantities replaced."""
    text = text[:MAX_TEXT_LENGTH].replace("\0", " ")
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _MARKUP.sub(" \n ", text)
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text[: 2 * MAX_TEXT_LENGTH])
        text = "".join(c for c in decomposed if c.isascii() or not unicodedata.combining(c))
    text = text.casefold()
    text = _ADDRESS.sub(" . ", text)
    text = _PRICE.sub(" . ", text)
    text = _QUANTITY.sub(lambda match: f" {_MEASURE_NAMES[(match.lastindex or 1) - 1]} ", text)
    return _SHOP_PHRASES.sub(" . ", text)


@lru_cache(maxsize=50_000)
def _short_words(token: str) -> list[str]:
    """``_words`` with a cache: the texts of a catalogue repeat the same words. The list must not be changed."""
    return _words(token)


def _words(token: str) -> list[str]:
    """The words of a token, split at hyphens and apostrophes; no stop words, numbers or single letters."""
    if token.startswith("#"):
        return [token] if token in _MEASURES else []
    parts = re.split(r"[-'’_]", _ELISION.sub("", token))
    return [part for part in parts if 1 < len(part) <= MAX_WORD_LENGTH and part.isalpha() and part not in STOP_WORDS]
