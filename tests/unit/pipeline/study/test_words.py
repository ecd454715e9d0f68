"""The words of the report: both languages whole, and numbers as each writes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.study_report import html_report
from pipeline.study_report.language import WORDS, Language

TEMPLATES = Path(html_report.__file__).parent / "templates"
ENGLISH, FRENCH = Language("en"), Language("fr")


@pytest.mark.parametrize("key", WORDS)
def test_both_languages_fill_in_the_same(key: str) -> None:
    english, french = WORDS[key]
    assert english
    assert french
    fields = [set(re.findall(r"{(\w+)}", words)) - {"n"} for words in (english, french)]
    assert fields[0] == fields[1]
    assert english.count("|") == french.count("|")


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


def test_numbers_follow_the_language() -> None:
    assert (ENGLISH.count(12345), FRENCH.count(12345)) == ("12,345", "12\u202f345")
    assert (ENGLISH.decimal(-0.125, 2), FRENCH.decimal(0.5)) == ("−0.12", "0,50")
    assert (ENGLISH.percent(0.9999), FRENCH.percent(0.1234)) == ("99.9\u00a0%", "12,3\u00a0%")
    assert (ENGLISH.size(402_000_000), FRENCH.size(2_500_000_000)) == ("402\u00a0MB", "2,5\u00a0Go")
    assert (ENGLISH.seconds(64), FRENCH.seconds(3.25)) == ("1\u00a0min 04\u00a0s", "3,2\u00a0s")
    assert FRENCH.date("2026-08-02T05:00:00+00:00", with_time=True) == "2 août 2026, 05:00 UTC"


def test_what_is_not_there_is_a_dash() -> None:
    writers = (ENGLISH.decimal, ENGLISH.count, ENGLISH.percent, ENGLISH.seconds, ENGLISH.size, ENGLISH.date)
    assert {write(None) for write in writers} == {"–"}


def test_combinations_are_named_by_their_parts() -> None:
    assert FRENCH.extractor("word2vec+fisher+mine") == "Word2Vec + Vecteurs de Fisher + mine"
