from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

import pytest

from pipeline.domain.listing import Evidence
from pipeline.features import boilerplate
from pipeline.features.boilerplate import learn_phrases, strip_phrases

KINDS = ("watch", "curtain", "mug", "lamp", "shirt", "drill", "sofa", "kettle")
FOOTER = "Visit our lovely warehouse beside the harbour."
FRENCH_FOOTER = "Venez visiter notre entrepôt familial près du vieux port."


def listings(text: str, seller: str = "", kinds: Sequence[str] = KINDS, each: int = 4) -> list[Evidence]:
    attributes = {"Brand": seller} if seller else {}
    return [
        Evidence(
            f"{kind} number {ascii_lowercase[at]}x",
            f"{kind} of {kind} stuff, {kind}{ascii_lowercase[at]}z. {text}",
            attributes,
        )
        for kind in kinds
        for at in range(each)
    ]


@pytest.mark.parametrize(
    ("footer", "phrase"), [(FOOTER, "lovely warehouse beside"), (FRENCH_FOOTER, "visiter entrepot familial")]
)
def test_a_phrase_of_the_whole_shop_is_learned(footer: str, phrase: str) -> None:
    assert tuple(phrase.split()) in learn_phrases(listings(footer))


def test_a_phrase_of_one_seller_of_many_products_is_learned() -> None:
    found = learn_phrases([*listings(FOOTER, "Harbour & Sons"), *listings("", "Else", each=20)])
    assert ("lovely", "warehouse", "beside") in found


def test_the_template_of_a_seller_of_one_product_stays() -> None:
    mugs = [
        Evidence(f"ceramic mug {word}", f"ceramic coffee mug with {word} print", {"Brand": "Mugs"})
        for word in ("lion", "tiger", "rose", "heart", "skull", "moon", "star", "owl")
    ]
    assert learn_phrases([*listings("", "Else", each=20), *mugs]) == []


def test_a_phrase_of_one_kind_of_product_stays() -> None:
    assert learn_phrases([*listings(""), *listings("made of stainless surgical steel", kinds=("watch",), each=4)]) == []


def test_a_catalogue_without_descriptions_has_no_phrases() -> None:
    assert learn_phrases([]) == []
    assert learn_phrases([Evidence("mug")] * 30) == []


def test_phrases_are_removed_where_they_occur() -> None:
    words = ["a", "fine", "lamp", "visit", "lovely", "warehouse", "today"]
    assert strip_phrases(words, {("visit", "lovely", "warehouse")}) == ["a", "fine", "lamp", "today"]
    assert strip_phrases(words, ()) == words
    assert strip_phrases(["lamp"], {("visit", "lovely", "warehouse")}) == ["lamp"]


def test_only_the_most_frequent_phrases_are_checked_for_sellers(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = [*listings(FOOTER, "Harbour & Sons"), *listings("", "Else", each=20)]
    assert learn_phrases(catalogue)
    monkeypatch.setattr(boilerplate, "MAX_PHRASES", 0)
    assert learn_phrases(catalogue) == []
