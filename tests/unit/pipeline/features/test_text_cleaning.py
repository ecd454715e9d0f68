from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.text_cleaning import MAX_TEXT_LENGTH, phrases, stem, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>Blue</b> &amp; white&nbsp;mug<br/>", ["blue", "white", "mug"]),
        ("Rideau occultant d'été, 140 x 260 cm, 29,90 €", ["rideau", "occultant", "ete", "#length"]),
        ("Price: Rs. 1,899 only at www.shop.example/x", ["price"]),
        ("Free shipping! 30 days replacement guarantee. Kettle 1500 W", ["kettle", "#power"]),
        ("Livraison gratuite, satisfait ou remboursé : bouilloire", ["bouilloire"]),
        ("Ring 925 AB12C no. 7", ["ring"]),
        ("\0Cotton\0towel\0", ["cotton", "towel"]),
        ("T-shirt de l'équipe", ["shirt", "equipe"]),
        ("🧴🧴 !!! 42", []),
        ("ساعة يد للرجال", ["ساعة", "يد", "للرجال"]),
    ],
)
def test_a_text_is_cleaned_to_its_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_pairs_do_not_bridge_punctuation() -> None:
    assert phrases("steel watch. leather strap") == [["steel", "watch"], ["leather", "strap"]]


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_cleaned(text: str) -> None:
    assert all(word and not word.isspace() for word in words(text))


@pytest.mark.parametrize("piece", ["<", "a", "1,", "a@", "&lt;", "é", "'a-", " 1 ", "www.", "ﷺ"])
def test_a_name_of_100_kilobytes_is_cheap(piece: str) -> None:
    begun = time.process_time()  # independent of the load of the machine
    words(piece * (100_000 // len(piece)))
    assert time.process_time() - begun < 1.0
    assert MAX_TEXT_LENGTH < 100_000


def test_stems_join_inflections() -> None:
    assert stem("curtains") == stem("curtain")
    assert stem("#length") == "#length"
