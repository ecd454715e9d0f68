"""Reasons: sentences in English, JSON and back, and rows of other programs."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest

from pipeline.domain.errors import AddressUnavailable, BadImage
from pipeline.domain.reason import Reason, reason_fields, reason_of
from pipeline.domain.reason_code import ReasonCode

WITHOUT_PHOTO = Reason(ReasonCode.LISTING_WITHOUT_PHOTO)
ASSIGNED = Reason.of(ReasonCode.ASSIGNED, confidence=0.9999, threshold=0.7)
QUALIFIED = ASSIGNED.with_further(Reason.of(ReasonCode.TEXT_ONLY, problem=WITHOUT_PHOTO))


def test_a_reason_is_a_sentence_with_its_parameters() -> None:
    assert str(ASSIGNED) == "99.9 % sure; this category needs 70 %"


def test_further_reasons_and_reasons_as_parameters_are_part_of_the_sentence() -> None:
    expected = "99.9 % sure; this category needs 70 %; decided on text alone: the listing has no photo"
    assert str(QUALIFIED) == expected


def test_braces_of_a_parameter_are_text() -> None:
    assert str(Reason.other("{0} {text} }{")) == "{0} {text} }{"


def test_a_missing_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="the reason assigned lacks threshold"):
        Reason.of(ReasonCode.ASSIGNED, confidence=0.5)


def test_a_reason_comes_back_from_json() -> None:
    written = json.dumps(QUALIFIED.as_json())
    stored = json.loads(written)
    assert Reason.from_json(stored) == QUALIFIED
    assert stored["further"][0]["parameters"]["problem"]["code"] == "listing_without_photo"
    assert "further" not in ASSIGNED.as_json()


@pytest.mark.parametrize(
    "coded",
    [
        None,
        "assigned",
        [],
        {},
        {"code": "a code of a later program", "parameters": {}},
        {"code": "assigned", "parameters": {"confidence": 0.5}},
        {"code": "assigned", "parameters": None},
        {"code": "no_model", "parameters": {}, "further": [{"code": "unheard of"}]},
        {"code": "no_model", "parameters": {}, "further": 7},
    ],
)
def test_a_row_without_a_code_that_is_known_here_shows_its_text(coded: Any) -> None:
    assert Reason.stored(coded, "no model yet, as it was written") == Reason.other("no model yet, as it was written")


def test_a_stored_code_counts_more_than_the_text() -> None:
    assert Reason.stored(ASSIGNED.as_json(), "anything") == ASSIGNED


def test_a_text_of_no_code_is_stored_as_text_only() -> None:
    assert reason_fields(Reason.other("as it is")) == {"reason": "as it is", "coded_reason": None}
    assert reason_fields(ASSIGNED) == {"reason": str(ASSIGNED), "coded_reason": ASSIGNED.as_json()}
    assert reason_fields(None) == {"reason": None, "coded_reason": None}


def test_an_error_carries_its_reason_and_reads_as_its_sentence() -> None:
    error = BadImage(WITHOUT_PHOTO)
    assert (str(error), reason_of(error)) == ("the listing has no photo", WITHOUT_PHOTO)
    later = AddressUnavailable(WITHOUT_PHOTO, 3.0)
    assert (str(later), reason_of(later), later.retry_after) == ("the listing has no photo", WITHOUT_PHOTO, 3.0)
    assert reason_of(KeyError("name")) == Reason.other("'name'")


@pytest.mark.parametrize("code", ReasonCode)
def test_messages_name_their_placeholders_and_use_formats_that_exist(code: ReasonCode) -> None:
    singular, plural = ([part[1:3] for part in string.Formatter().parse(m)] for m in (code.message, code.plural))
    fields = [(name, spec) for name, spec in singular + plural if name is not None]
    assert all(name.isidentifier() and spec in ("", "percent", "count", "names") for name, spec in fields)
    assert code.message
    assert not code.plural or ("n", "") in plural
    assert code.value == code.name.lower()


def test_reasons_can_be_members_of_a_set_whatever_their_parameters_are() -> None:
    names = [Reason.of(ReasonCode.PHOTO_NOT_IN_FOLDER, name=name) for name in ("a.jpg", "b.jpg", "a.jpg")]
    assert len(set(names)) == 2
