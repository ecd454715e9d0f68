"""Templates to pages: one environment for the templates of all nouns, words by language, and strict headers."""

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
from api.web.session import SignedIn
from pipeline.domain.reason import Reason, stored_notes
from pipeline.localisation.language import Language
from pipeline.localisation.message_catalogues import LANGUAGES

API = Path(__file__).parents[1]
STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MAX_NAMES = 5


def render(
    request: Request,
    template: str,
    visitor: SignedIn | None,
    variables: Mapping[str, Any],
    status: int = HTTPStatus.OK,
) -> Response:
    """A page in the language of the request; ``visitor`` is None before the login, which leaves the navigation out.

    ``template`` is ``noun/name.html``, in the folder ``templates`` of ``api/noun``.
    """
    shared = {
        "visitor": visitor,
        "token": visitor.visit.token if visitor else "",
        "here": request.url.path,
        "language": language_of(request),
        "languages": {code: _address_in(request, code) for code in LANGUAGES},
    }
    response = TEMPLATES.TemplateResponse(request, template, shared | dict(variables), int(status), dict(HEADERS))
    remember_language(request, response)
    return response


def source_category_name(category: str) -> str:
    """A category of a product database (``en:sparkling-wines``) as people write it."""
    language, separator, name = category.partition(":")
    return (name if separator and len(language) <= 3 else category).replace("-", " ").strip()


def _address_in(request: Request, code: str) -> str:
    """The query of the same page in another language."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return "?" + urlencode([*kept, ("lang", code)])


def _language(context: Context) -> Language:
    found: Language = context["language"]
    return found


def _filled(message: str, parameters: Mapping[str, object]) -> Markup:
    """A message with its parameters, all of it escaped but parameters that are markup."""
    escaped = escape(message)
    return escaped.format(**parameters) if parameters else escaped


@pass_context
def _gettext(context: Context, message: str, **parameters: object) -> Markup:
    return _filled(_language(context).translate(message), parameters)


@pass_context
def _ngettext(context: Context, singular: str, plural: str, n: int, **parameters: object) -> Markup:
    message = _language(context).plural_form(singular, plural, n)
    return _filled(message, {"n": _language(context).count(n), **parameters})


@pass_context
def _pgettext(context: Context, kind: str, message: str, **parameters: object) -> Markup:
    return _filled(_language(context).translate_in(kind, message), parameters)


@pass_context
def _term(context: Context, value: str, kind: str) -> str:
    return term(_language(context), kind, value)


@pass_context
def _translate(context: Context, message: str) -> str:
    return _language(context).translate(message)


@pass_context
def _worded(context: Context, text: str | None, coded: Any = None) -> str:
    """A text of the record, in the language of the page where its code is known."""
    return "" if text is None else _language(context).reason(Reason.stored(coded, text))


@pass_context
def _worded_notes(context: Context, text: str | None, coded: Any = None) -> str:
    """Notes of the record, in the language of the page where their codes are known."""
    return _language(context).reasons(stored_notes(coded, text))


@pass_context
def _said(context: Context, said: Reason | str) -> str:
    """A reason, or a message of this program."""
    language = _language(context)
    return language.reason(said) if isinstance(said, Reason) else language.translate(said)


@pass_context
def _sentence(context: Context, said: Reason | str | None) -> str:
    """A reason, or a message of this program, as a sentence with a capital letter."""
    if not said:
        return ""
    text = _said(context, said)
    return text[:1].upper() + text[1:]


@pass_context
def _names(context: Context, names: Sequence[str]) -> Markup:
    """The first few of many names, each isolated from the direction of the text around it."""
    shown = Markup(", ").join(Markup("<bdi>{}</bdi>").format(name) for name in names[:MAX_NAMES])
    more = len(names) - MAX_NAMES
    return _ngettext(context, "{names} and {n} more", "{names} and {n} more", more, names=shown) if more > 0 else shown


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
def _ago(context: Context, moment: datetime) -> str:
    return _language(context).ago(moment)


@pass_context
def _date_and_time(context: Context, moment: datetime | None) -> str:
    return _language(context).date_and_time(moment)


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _bold(text: str) -> Markup:
    return Markup("<b>{}</b>").format(text)


def _link(address: str, text: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, text)


def _query(fields: Mapping[str, object]) -> str:
    return urlencode({name: value for name, value in fields.items() if value})


def _templates() -> Jinja2Templates:
    folders = {path.parent.name: jinja2.FileSystemLoader(path) for path in API.glob("*/templates")}
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
        "worded": _worded,
        "worded_notes": _worded_notes,
        "said": _said,
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
