"""Language: messages, reasons, numbers, dates and durations in the language of the reader."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal

from pipeline.domain.reason import ENGLISH, Reason, ReasonWriter, Value
from pipeline.domain.reason_code import ReasonCode
from pipeline.localisation.message_catalogues import LANGUAGES, SOURCE_LANGUAGE, read_translations

NO_VALUE = "–"  # shown for a missing value
NO_BREAK_SPACE = "\u00a0"
LOCALES = {"en": "en_GB"}  # British English; for other languages the locale is the language code
MAX_NAMES = 10
MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 604800


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the interface; ``code`` is one of ``LANGUAGES``. Missing values (None) are shown as a dash."""

    code: str

    def gettext(self, message: str, **parameters: object) -> str:
        """Translate a message and fill in its ``{placeholders}``."""
        return _fill_placeholders(read_translations(self.code).gettext(message), parameters)

    def translate(self, message: str, **parameters: object) -> str:
        """Like ``gettext``, for a message from a table, where ``gettext_noop`` marks it for extraction."""
        return self.gettext(message, **parameters)

    def translate_plural(self, singular: str, plural: str, n: int, **parameters: object) -> str:
        """Like ``ngettext``, for a message from a table."""
        return self.ngettext(singular, plural, n, **parameters)

    def ngettext(self, singular: str, plural: str, n: int, **parameters: object) -> str:
        """Translate a message in the plural form for the number ``n``, which is filled in as ``{n}``."""
        return _fill_placeholders(self.plural_form(singular, plural, n), {"n": self.count(n)} | parameters)

    def plural_form(self, singular: str, plural: str, n: int) -> str:
        """Translate a message in the plural form for the number ``n``, without filling in its placeholders."""
        return read_translations(self.code).ngettext(singular, plural, n)

    def pgettext(self, context: str, message: str, **parameters: object) -> str:
        """Translate a message whose translation depends on a context, such as "done" for a study or a job."""
        return _fill_placeholders(read_translations(self.code).pgettext(context, message), parameters)

    def translate_in(self, context: str, message: str) -> str:
        """Like ``pgettext``, for a message from a table."""
        return self.pgettext(context, message)

    def reason(self, reason: Reason | None) -> str:
        """The sentence of a reason; empty for None."""
        return "" if reason is None else _reason_writer(self.code).write(reason)

    def reasons(self, reasons: Iterable[Reason]) -> str:
        """The sentences of reasons, separated by semicolons."""
        return _reason_writer(self.code).separator.join(map(self.reason, reasons))

    def names(self, names: Sequence[str]) -> str:
        """The first MAX_NAMES names, separated by commas, and the number of the others: ``a, b and 40 more``."""
        shown, n_more = ", ".join(names[:MAX_NAMES]), len(names) - MAX_NAMES
        if n_more <= 0:
            return shown
        return self.ngettext("{names} and {n} more", "{names} and {n} more", n_more, names=shown)

    def decimal(self, value: float | None, digits: int = 2) -> str:
        """A number with this many digits after the decimal point or comma."""
        if value is None:
            return NO_VALUE
        return format_decimal(value, f"#,##0.{'0' * digits}", self._locale).replace("-", "−")

    def signed(self, value: float) -> str:
        """A number with its sign, such as a difference."""
        return ("+" if value >= 0 else "") + self.decimal(value)

    def count(self, value: int | None) -> str:
        """A whole number with thousands separators."""
        return NO_VALUE if value is None else format_decimal(value, "#,##0", self._locale)

    def percent(self, share: float | None) -> str:
        """A share (0 to 1) in percent, rounded to a tenth; 100 % is shown only for a share of 1."""
        if share is None:
            return NO_VALUE
        rounded = round(100 * share, 1)
        return self._percent(99.9 if rounded == 100 and share < 1 else rounded)

    def confidence(self, share: float | None) -> str:
        """A share (0 to 1) in percent, rounded down to a tenth, so that 100 % is shown only for a share of 1."""
        return NO_VALUE if share is None else self._percent(int(share * 1000) / 10)

    def duration(self, seconds: float | None) -> str:
        """A duration in one or two units: ``340 ms``, ``1.2 s``, ``3 min 05 s``, ``2 h 10 min``."""
        if seconds is None:
            return NO_VALUE
        if seconds < 0.9995:
            return f"{seconds * 1000:.0f}{NO_BREAK_SPACE}ms"
        if seconds < MINUTE:
            return f"{self.decimal(seconds, 1)}{NO_BREAK_SPACE}s"
        if seconds < HOUR:
            large, large_name, small, small_name = MINUTE, "min", 1, "s"
        else:
            large, large_name, small, small_name = HOUR, "h", MINUTE, "min"
        whole, rest = int(seconds // large), int(seconds % large // small)
        return f"{whole}{NO_BREAK_SPACE}{large_name} {rest:02d}{NO_BREAK_SPACE}{small_name}"

    def size(self, count: int | None) -> str:
        """A number of bytes in MB or GB (in French: Mo, Go)."""
        if count is None:
            return NO_VALUE
        if count < 1e9:
            return f"{self.decimal(count / 1e6, 0)}{NO_BREAK_SPACE}" + self.gettext("MB")
        return f"{self.decimal(count / 1e9, 1)}{NO_BREAK_SPACE}" + self.gettext("GB")

    def date(self, moment: datetime | str | None) -> str:
        """The date of a moment, which may be ISO 8601 text: ``5 January 2026``."""
        parsed = _parse_moment(moment)
        return NO_VALUE if parsed is None else format_date(parsed, "long", self._locale)

    def date_and_time(self, moment: datetime | str | None) -> str:
        """The date and time of a moment, with its time zone: ``5 January 2026, 14:03 UTC``."""
        parsed = _parse_moment(moment)
        if parsed is None:
            return NO_VALUE
        return f"{self.date(parsed)}, {parsed:%H:%M} {parsed.tzname() or ''}".rstrip()

    def ago(self, moment: datetime, now: datetime | None = None) -> str:
        """How long ago a moment was, such as ``3 hours ago``; its date if it was more than a week ago."""
        elapsed_seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
        if elapsed_seconds > WEEK:
            return self.date(moment)
        for unit in (DAY, HOUR, MINUTE):
            if elapsed_seconds >= unit:
                whole_units = timedelta(seconds=elapsed_seconds // unit * unit)
                return format_timedelta(-whole_units, threshold=1, add_direction=True, locale=self._locale)
        return self.gettext("just now")

    @property
    def _locale(self) -> str:
        return LOCALES.get(self.code, self.code)

    def _percent(self, number: float) -> str:
        return format_decimal(number, "#,##0.#", self._locale) + f"{NO_BREAK_SPACE}%"


class _LocalisedReasonWriter(ReasonWriter):
    def __init__(self, language: Language) -> None:
        self._language = language
        self.separator = language.pgettext("between two reasons", "; ")

    def message(self, code: ReasonCode, n: Value | None) -> str:
        translations = read_translations(self._language.code)
        if code.plural and isinstance(n, int):
            return translations.ngettext(code.message, code.plural, n)
        return translations.gettext(code.message)

    def percent(self, share: float) -> str:
        return self._language.confidence(share)

    def count(self, number: int) -> str:
        return self._language.count(number)

    def names(self, names: Sequence[str]) -> str:
        return self._language.names(names)


@lru_cache
def _reason_writer(code: str) -> ReasonWriter:
    return ENGLISH if code == SOURCE_LANGUAGE else _LocalisedReasonWriter(Language(code))


def _fill_placeholders(message: str, parameters: dict[str, object]) -> str:
    return string.Formatter().vformat(message, (), parameters) if parameters else message


def _parse_moment(moment: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(moment) if isinstance(moment, str) and moment else moment or None


def preferred_language(accepted: str) -> str | None:
    """The available language that an ``Accept-Language`` header prefers; None if it names none of them."""
    candidates = []
    for index, entry in enumerate(accepted.split(",")[:20]):
        name, _, weight = entry.partition(";")
        code = name.strip()[:2].lower()
        try:
            quality = float(weight.partition("=")[2]) if weight else 1.0
        except ValueError:
            quality = 0.0
        if code in LANGUAGES and quality > 0:
            candidates.append((-quality, index, code))
    return min(candidates)[2] if candidates else None
