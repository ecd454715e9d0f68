"""The language of an answer: from ``?lang=``, a cookie, or the Accept-Language header."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request, Response

from pipeline.domain.reason import Reason, stored_notes
from pipeline.localisation.language import Language, preferred_language
from pipeline.localisation.message_catalogues import LANGUAGES, SOURCE_LANGUAGE

COOKIE = "rayon_language"
COOKIE_SECONDS = 365 * 86400
# Text fields, by the field that has the same reason as a code with parameters.
CODED = {"coded_reason": "reason", "coded_error": "error", "coded_note": "note"}

JsonValue = TypeVar("JsonValue", dict[str, Any], list[dict[str, Any]])


def answer_language(
    response: Response,
    accept_language: Annotated[
        str, Header(description=f"the language of reasons: one of {', '.join(LANGUAGES)}; English by default")
    ] = "",
) -> Language:
    """A dependency of the API: the language in which to word reasons."""
    response.headers["Vary"] = "Accept-Language"
    return Language(preferred_language(accept_language) or SOURCE_LANGUAGE)


AnswerLanguage = Annotated[Language, Depends(answer_language)]


def language_of(request: Request) -> Language:
    """The language of a page or an error: ``?lang=``, else the cookie, else the Accept-Language header."""
    for asked in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if asked in LANGUAGES:
            return Language(asked)
    return Language(preferred_language(request.headers.get("accept-language", "")) or SOURCE_LANGUAGE)


def remember_language(request: Request, response: Response) -> None:
    """Store the requested language of a page in a cookie, and declare that the page varies by it."""
    response.headers["Vary"] = "Accept-Language, Cookie"
    asked = request.query_params.get("lang")
    if asked in LANGUAGES and asked != request.cookies.get(COOKIE):
        response.set_cookie(COOKIE, asked, max_age=COOKIE_SECONDS, httponly=True, samesite="lax")


def with_reasons_in(language: Language, value: JsonValue) -> JsonValue:
    """The same JSON value, the texts of coded reasons worded in the language; other texts stay as they are."""
    worded: JsonValue = value if language.code == SOURCE_LANGUAGE else _worded(language, value)
    return worded


def _worded(language: Language, value: Any) -> Any:
    if isinstance(value, list):
        return [_worded(language, each) for each in value]
    if not isinstance(value, dict):
        return value
    worded = {name: _worded(language, each) for name, each in value.items()}
    for coded, text in CODED.items():
        if value.get(coded) is not None and value.get(text) is not None:
            worded[text] = language.reason(Reason.stored(value[coded], value[text]))
    if value.get("coded_notes") and value.get("note"):
        worded["note"] = language.reasons(stored_notes(value["coded_notes"], value["note"]))
    return worded
