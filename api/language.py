"""The language of a response: from ``?lang=``, a cookie, or the Accept-Language header."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request, Response

from pipeline.domain.reason import Reason, stored_notes
from pipeline.localisation.localised_text import Language, preferred_language
from pipeline.localisation.message_catalogues import LANGUAGES, SOURCE_LANGUAGE

COOKIE = "rayon_language"
COOKIE_SECONDS = 365 * 86400
# Field with a reason as a code with parameters -> field with its text.
TEXT_FIELDS = {"coded_reason": "reason", "coded_error": "error", "coded_note": "note"}

JsonValue = TypeVar("JsonValue", dict[str, Any], list[dict[str, Any]])


def answer_language(
    response: Response,
    accept_language: Annotated[
        str, Header(description=f"the language of reasons: one of {', '.join(LANGUAGES)}; English by default")
    ] = "",
) -> Language:
    """A dependency of API routes: the language for the texts of reasons."""
    response.headers["Vary"] = "Accept-Language"
    return Language(preferred_language(accept_language) or SOURCE_LANGUAGE)


AnswerLanguage = Annotated[Language, Depends(answer_language)]


def language_of(request: Request) -> Language:
    """The language of a page or an error: ``?lang=``, else the cookie, else the Accept-Language header."""
    for requested in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if requested in LANGUAGES:
            return Language(requested)
    return Language(preferred_language(request.headers.get("accept-language", "")) or SOURCE_LANGUAGE)


def remember_language(request: Request, response: Response) -> None:
    """Store a language requested with ``?lang=`` in a cookie, and add the Vary header to the page."""
    response.headers["Vary"] = "Accept-Language, Cookie"
    requested = request.query_params.get("lang")
    if requested in LANGUAGES and requested != request.cookies.get(COOKIE):
        response.set_cookie(COOKIE, requested, max_age=COOKIE_SECONDS, httponly=True, samesite="lax")


def with_reasons_in(language: Language, value: JsonValue) -> JsonValue:
    """The JSON value with the texts of coded reasons in the language; other texts are unchanged."""
    translated: JsonValue = value if language.code == SOURCE_LANGUAGE else _translated(language, value)
    return translated


def _translated(language: Language, value: Any) -> Any:
    if isinstance(value, list):
        return [_translated(language, item) for item in value]
    if not isinstance(value, dict):
        return value
    translated = {name: _translated(language, item) for name, item in value.items()}
    for coded_field, text_field in TEXT_FIELDS.items():
        if value.get(coded_field) is not None and value.get(text_field) is not None:
            translated[text_field] = language.reason(Reason.stored(value[coded_field], value[text_field]))
    if value.get("coded_notes") and value.get("note"):
        translated["note"] = language.reasons(stored_notes(value["coded_notes"], value["note"]))
    return translated
