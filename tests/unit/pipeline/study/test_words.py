"""The words of the report: every key that is asked for is known, and plurals follow the language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.domain.reason import Reason
from pipeline.study_report import html_report
from pipeline.study_report.language import ReportLanguage
from pipeline.study_report.wording import WORDS

TEMPLATES = Path(html_report.__file__).parent / "templates"
ENGLISH, FRENCH = ReportLanguage("en"), ReportLanguage("fr")


def test_every_word_that_a_template_asks_for_is_known() -> None:
    asked = {
        key
        for path in TEMPLATES.glob("*.html")
        for key in re.findall(r'\bw\("([a-z_0-9A-Z]+)"[,)]', path.read_text(encoding="utf-8"))
    }
    assert len(asked) > 60
    assert asked - set(WORDS) == set()


def test_plurals_follow_the_language() -> None:
    assert [ENGLISH("listings", n=n) for n in (0, 1, 2)] == ["0 listings", "1 listing", "2 listings"]
    assert [FRENCH("listings", n=n) for n in (0, 1, 2)] == ["0 annonce", "1 annonce", "2 annonces"]
    with pytest.raises(ValueError, match="'listings' need a number"):
        ENGLISH("listings")


def test_words_are_filled_in() -> None:
    assert ENGLISH("title_of", subject="shop") == "Feasibility study of shop"
    assert FRENCH("title_of", subject="shop") == "Étude de faisabilité\u00a0: shop"
    assert FRENCH.evidence(["name", "photo", "mine"]) == "nom, photo, mine"


def test_combinations_are_named_by_their_parts() -> None:
    assert FRENCH.extractor("word2vec+fisher+mine") == "Word2Vec + Vecteurs de Fisher + mine"


def test_a_reason_that_was_not_given_is_said_so() -> None:
    assert (ENGLISH.reason(None), FRENCH.reason(None)) == ("no reason was given", "sans raison donnée")
    assert FRENCH.reason(Reason.other("ValueError: of some library")) == "ValueError: of some library"
