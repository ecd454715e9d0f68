"""Page rendering: one Jinja environment for the templates of all packages, localised filters, and strict headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from api.language import language_of, remember_language
from api.web.display_names import term
from api.web.session import SignedInVisitor
from pipeline.domain.reason import Reason, stored_notes
from pipeline.localisation.localised_text import Language
from pipeline.localisation.message_catalogues import LANGUAGES

API_FOLDER = Path(__file__).parents[1]
STATIC_FOLDER = Path(__file__).parent / "static"
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MAX_LISTED_NAMES = 5


def render(
    request: Request,
    template: str,
    visitor: SignedInVisitor | None,
    variables: Mapping[str, Any],
    status: int = HTTPStatus.OK,
) -> Response:
    """A page in the language of the request; without a ``visitor`` (before the login) it has no navigation.

    ``template`` is ``PACKAGE/NAME.html``, for the file ``api/PACKAGE/templates/NAME.html``.
    """
    shared = {
        "visitor": visitor,
        "token": visitor.session.token if visitor else "",
        "current_path": request.url.path,
        "language": language_of(request),
        "languages": {code: _query_in_language(request, code) for code in LANGUAGES},
    }
    response = TEMPLATES.TemplateResponse(request, template, shared | dict(variables), int(status), dict(PAGE_HEADERS))
    remember_language(request, response)
    return response


def source_category_name(category: str) -> str:
    """A category of a product database as readable text: ``en:sparkling-wines`` is 'sparkling wines'."""
    language, separator, name = category.partition(":")
    return (name if separator and len(language) <= 3 else category).replace("-", " ").strip()


def _query_in_language(request: Request, code: str) -> str:
    """The query string of the same page in another language."""
    parameters = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return "?" + urlencode([*parameters, ("lang", code)])


def _language(context: Context) -> Language:
    language: Language = context["language"]
    return language


def _formatted(message: str, parameters: Mapping[str, object]) -> Markup:
    """A message with its parameters inserted; everything is escaped except parameters that are Markup."""
    escaped = escape(message)
    return escaped.format(**parameters) if parameters else escaped


@pass_context
def _gettext(context: Context, message: str, **parameters: object) -> Markup:
    return _formatted(_language(context).translate(message), parameters)


@pass_context
def _ngettext(context: Context, singular: str, plural: str, n: int, **parameters: object) -> Markup:
    message = _language(context).plural_form(singular, plural, n)
    return _formatted(message, {"n": _language(context).count(n), **parameters})


@pass_context
def _pgettext(context: Context, kind: str, message: str, **parameters: object) -> Markup:
    return _formatted(_language(context).translate_in(kind, message), parameters)


@pass_context
def _term(context: Context, value: str, kind: str) -> str:
    return term(_language(context), kind, value)


@pass_context
def _translate(context: Context, message: str) -> str:
    return _language(context).translate(message)


@pass_context
def _stored_reason(context: Context, text: str | None, coded: Any = None) -> str:
    """A stored reason in the language of the page if its code is known, else as stored."""
    return "" if text is None else _language(context).reason(Reason.stored(coded, text))


@pass_context
def _stored_notes(context: Context, text: str | None, coded: Any = None) -> str:
    """Stored notes in the language of the page if their codes are known, else as stored."""
    return _language(context).reasons(stored_notes(coded, text))


@pass_context
def _localised(context: Context, message: Reason | str) -> str:
    """A reason, or a message of this program, in the language of the page."""
    language = _language(context)
    return language.reason(message) if isinstance(message, Reason) else language.translate(message)


@pass_context
def _sentence(context: Context, message: Reason | str | None) -> str:
    """A reason, or a message of this program, in the language of the page and capitalised."""
    if not message:
        return ""
    text = _localised(context, message)
    return text[:1].upper() + text[1:]


@pass_context
def _names(context: Context, names: Sequence[str]) -> Markup:
    """The first names of a list and the number of others; ``bdi`` isolates the text direction of each name."""
    shown = Markup(", ").join(Markup("<bdi>{}</bdi>").format(name) for name in names[:MAX_LISTED_NAMES])
    n_more = len(names) - MAX_LISTED_NAMES
    return (
        _ngettext(context, "{names} and {n} more", "{names} and {n} more", n_more, names=shown) if n_more > 0 else shown
    )


@pass_context
def _percent(context: Context, share: float | None) -> str:
    return _language(context).confidence(share)


@pass_context
def _decimal(context: Context, value: float | None) -> str:
    return _language(context).decimal(value)


@pass_context
def _size(context: Context, count: int | None) -> str:
    return _language(context).size(count)


@pass_context
def _count(context: Context, number: int | None) -> str:
    return _language(context).count(number)


@pass_context
def _duration(context: Context, seconds: float | None) -> str:
    return _language(context).duration(seconds)


@pass_context
def _ago(context: Context, time: datetime) -> str:
    return _language(context).ago(time)


@pass_context
def _date_and_time(context: Context, time: datetime | None) -> str:
    return _language(context).date_and_time(time)


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _bold(text: str) -> Markup:
    return Markup("<b>{}</b>").format(text)


def _link(address: str, text: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, text)


def _query(fields: Mapping[str, object]) -> str:
    return urlencode({name: value for name, value in fields.items() if value})


def _templates() -> Jinja2Templates:
    folders = {path.parent.name: jinja2.FileSystemLoader(path) for path in API_FOLDER.glob("*/templates")}
    environment = jinja2.Environment(
        loader=jinja2.PrefixLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        "_": _gettext,
        "ngettext": _ngettext,
        "pgettext": _pgettext,
        "bold": _bold,
        "code": _code,
        "link": _link,
    }
    environment.filters |= {
        "term": _term,
        "translate": _translate,
        "stored_reason": _stored_reason,
        "stored_notes": _stored_notes,
        "localised": _localised,
        "sentence": _sentence,
        "names": _names,
        "percent": _percent,
        "decimal": _decimal,
        "size": _size,
        "count": _count,
        "duration": _duration,
        "ago": _ago,
        "date_and_time": _date_and_time,
        "source_category_name": source_category_name,
        "query": _query,
    }
    return Jinja2Templates(env=environment)


TEMPLATES = _templates()
