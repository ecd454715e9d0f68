"""Languages: what English and French readers see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.localisation.localised_text import Language, preferred_language

ENGLISH, FRENCH = Language("en"), Language("fr")
NOW = datetime(2026, 3, 8, 14, 3, tzinfo=UTC)
THIN, FIXED = "\u202f", "\u00a0"


def test_numbers_are_written_as_readers_of_the_language_write_them() -> None:
    assert (ENGLISH.decimal(-12345.678), FRENCH.decimal(-12345.678)) == ("−12,345.68", f"−12{THIN}345,68")
    assert (ENGLISH.decimal(0.5, 1), FRENCH.decimal(2, 0)) == ("0.5", "2")
    assert (ENGLISH.signed(0.0512), FRENCH.signed(-0.5)) == ("+0.05", "−0,50")
    assert (ENGLISH.count(1_234_567), FRENCH.count(1_234_567)) == ("1,234,567", f"1{THIN}234{THIN}567")
    assert (ENGLISH.size(34_500_000), FRENCH.size(3_450_000_000)) == (f"34{FIXED}MB", f"3,4{FIXED}Go")


def test_a_figure_that_is_not_there_is_a_dash() -> None:
    methods = (ENGLISH.decimal, ENGLISH.count, ENGLISH.percent, ENGLISH.confidence, ENGLISH.duration, ENGLISH.size)
    assert [method(None) for method in methods] == ["–"] * len(methods)
    assert (ENGLISH.date(None), ENGLISH.date_and_time("")) == ("–", "–")


@pytest.mark.parametrize(
    ("share", "rounded", "rounded_down"),
    [(0.3456, "34.6", "34.5"), (0.99999, "99.9", "99.9"), (1.0, "100", "100"), (0.0, "0", "0"), (0.5, "50", "50")],
)
def test_what_reads_as_100_percent_is_all(share: float, rounded: str, rounded_down: str) -> None:
    assert ENGLISH.percent(share) == f"{rounded}{FIXED}%"
    assert FRENCH.confidence(share) == f"{rounded_down.replace('.', ',')}{FIXED}%"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, "0 ms"), (0.345, "345 ms"), (0.9996, "1.0 s"), (59.94, "59.9 s"), (185, "3 min 05 s"), (7830, "2 h 10 min")],
)
def test_a_duration_has_two_units_at_most(seconds: float, expected: str) -> None:
    assert ENGLISH.duration(seconds).replace(FIXED, " ") == expected


def test_dates_are_written_out() -> None:
    assert (ENGLISH.date(NOW), FRENCH.date(NOW)) == ("8 March 2026", "8 mars 2026")
    assert ENGLISH.date_and_time(NOW.isoformat()) == "8 March 2026, 14:03 UTC"


@pytest.mark.parametrize(
    ("passed", "english", "french"),
    [
        (timedelta(seconds=59), "just now", "à l’instant"),
        (timedelta(seconds=119), "1 minute ago", "il y a 1 minute"),
        (timedelta(hours=23, minutes=59), "23 hours ago", "il y a 23 heures"),
        (timedelta(days=6, hours=23), "6 days ago", "il y a 6 jours"),
        (timedelta(days=8), "28 February 2026", "28 février 2026"),
    ],
)
def test_a_moment_is_told_by_how_long_ago_it_was(passed: timedelta, english: str, french: str) -> None:
    assert (ENGLISH.ago(NOW - passed, NOW), FRENCH.ago(NOW - passed, NOW)) == (english, french)


def test_a_list_of_names_is_cut_to_what_a_sentence_bears() -> None:
    names = [f"n{number}" for number in range(12)]
    assert ENGLISH.names(names[:2]) == "n0, n1"
    assert FRENCH.names(names).endswith("n9 et 2 autres")
    assert FRENCH.names(names[:11]).endswith("n9 et 1 autre")


def test_reasons_are_said_in_the_language() -> None:
    without = Reason.of(ReasonCode.TEXT_ONLY, problem=Reason(ReasonCode.LISTING_WITHOUT_PHOTO))
    reason = Reason.of(ReasonCode.BELOW_THRESHOLD, confidence=0.345, threshold=0.7).with_further(without)
    assert ENGLISH.reason(reason) == str(reason)
    assert FRENCH.reason(reason).replace(FIXED, " ") == (
        "sûr à 34,5 % seulement ; cette catégorie demande 70 % ; "
        "décidé d’après le texte seul : l’annonce n’a pas de photo"
    )
    assert FRENCH.reason(Reason.other("Errno 5")) == "Errno 5"
    assert FRENCH.reason(None) == ""


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.8,en;q=0.5", "fr"),
        ("de, en;q=0.3, fr;q=0.5", "fr"),
        ("en;q=0, fr;q=0.1", "fr"),
        ("de;q=1, nl", None),
        ("fr;q=high", None),
        ("en, fr", "en"),
    ],
)
def test_the_language_that_a_browser_likes_best_is_chosen(header: str, expected: str | None) -> None:
    assert preferred_language(header) == expected
