"""Templates to pages: one environment, the words for statuses, and headers that let nothing foreign in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates

from api.web.session import SignedIn

FOLDER = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATUS_WORDS = {
    "pending": "waiting",
    "assigned": "assigned",
    "needs_review": "needs review",
    "abstained": "no answer",
    "withdrawn": "withdrawn",
}
MINUTE, HOUR, DAY = 60, 3600, 86400


def percent(share: float | None) -> str:
    """A share as text, rounded down: what reads as 100 % is certain."""
    return "–" if share is None else f"{int(share * 1000) / 10:g} %"


def seconds(spent: float) -> str:
    """A duration with as many digits as it deserves."""
    if spent < 0.9995:
        return f"{spent * 1000:.0f} ms"
    return f"{spent:.1f} s" if spent < MINUTE else f"{spent / MINUTE:.0f} min"


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, in words; the date when it is more than a week."""
    passed = ((now or datetime.now(UTC)) - moment).total_seconds()
    for size, word in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if passed >= size:
            count = int(passed // size)
            return moment.strftime("%-d %B %Y") if passed > 7 * DAY else f"{count} {word}{'s'[: count != 1]} ago"
    return "just now"


def category_there(category: str) -> str:
    """A category of a product database (``en:sparkling-wines``) as a person says it."""
    language, named, words = category.partition(":")
    return (words if named and len(language) <= 3 else category).replace("-", " ").strip()


def _templates() -> Jinja2Templates:
    templates = Jinja2Templates(directory=FOLDER / "templates")
    templates.env.trim_blocks = templates.env.lstrip_blocks = True
    templates.env.filters |= {"percent": percent, "seconds": seconds, "ago": ago}
    templates.env.filters["category_there"] = category_there
    templates.env.filters["status_word"] = lambda status: STATUS_WORDS.get(status, status)
    templates.env.filters["query"] = lambda fields: urlencode({k: v for k, v in fields.items() if v})
    return templates


TEMPLATES = _templates()


def render(
    request: Request,
    template: str,
    visitor: SignedIn | None,
    variables: Mapping[str, Any],
    status: int = HTTPStatus.OK,
) -> Response:
    """A page; ``visitor`` is None before the login, and the navigation is left out then."""
    known = {"visitor": visitor, "token": visitor.visit.token if visitor else "", "here": request.url.path}
    return TEMPLATES.TemplateResponse(request, template, known | dict(variables), int(status), dict(HEADERS))
