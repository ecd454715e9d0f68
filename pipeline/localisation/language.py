"""Language: messages, reasons, numbers, dates and durations as the readers of one language write them."""

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

NONE = "–"  # for a figure that is not there
NO_BREAK_SPACE = "\u00a0"
LOCALES = {"en": "en_GB"}  # British; of other languages the locale is the code
MAX_NAMES = 10
MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 604800


@dataclass(frozen=True, slots=True)
class Language:
    """``code`` is one of ``LANGUAGES``. Methods that take None for a figure that is not there write a dash."""

    code: str

    def gettext(self, message: str, **parameters: object) -> str:
        """A message, its ``{placeholders}`` filled in."""
        return _filled(read_translations(self.code).gettext(message), parameters)

    def translate(self, message: str, **parameters: object) -> str:
        """As ``gettext``, of a message that comes from a table, where ``gettext_noop`` marks it."""
        return self.gettext(message, **parameters)

    def translate_plural(self, singular: str, plural: str, n: int, **parameters: object) -> str:
        """As ``ngettext``, of a message that comes from a table."""
        return self.ngettext(singular, plural, n, **parameters)

    def ngettext(self, singular: str, plural: str, n: int, **parameters: object) -> str:
        """The form of a message that fits the number ``n``, which is filled in as ``{n}``."""
        return _filled(self.plural_form(singular, plural, n), {"n": self.count(n)} | parameters)

    def plural_form(self, singular: str, plural: str, n: int) -> str:
        """The form of a message that fits the number ``n``, before its placeholders are filled in."""
        return read_translations(self.code).ngettext(singular, plural, n)

    def pgettext(self, context: str, message: str, **parameters: object) -> str:
        """A message whose translation depends on what it speaks of, such as "done" of a study or of a job."""
        return _filled(read_translations(self.code).pgettext(context, message), parameters)

    def translate_in(self, context: str, message: str) -> str:
        """As ``pgettext``, of a message that comes from a table."""
        return self.pgettext(context, message)

    def reason(self, reason: Reason | None) -> str:
        """The sentence of a reason; nothing for None."""
        return "" if reason is None else _reason_writer(self.code).write(reason)

    def reasons(self, reasons: Iterable[Reason]) -> str:
        """The sentences of reasons, with semicolons between."""
        return _reason_writer(self.code).separator.join(map(self.reason, reasons))

    def names(self, names: Sequence[str]) -> str:
        """Names with commas between, as many as a sentence bears: ``a, b and 40 more``."""
        shown, more = ", ".join(names[:MAX_NAMES]), len(names) - MAX_NAMES
        return self.ngettext("{names} and {n} more", "{names} and {n} more", more, names=shown) if more > 0 else shown

    def decimal(self, value: float | None, digits: int = 2) -> str:
        """A number with this many digits behind the point or comma."""
        if value is None:
            return NONE
        return format_decimal(value, f"#,##0.{'0' * digits}", self._locale).replace("-", "−")

    def signed(self, value: float) -> str:
        """A difference, with its sign."""
        return ("+" if value >= 0 else "") + self.decimal(value)

    def count(self, value: int | None) -> str:
        """A whole number, its thousands set apart."""
        return NONE if value is None else format_decimal(value, "#,##0", self._locale)

    def percent(self, share: float | None) -> str:
        """A share (0 to 1) in percent, rounded to a tenth; what reads as 100 % is all."""
        if share is None:
            return NONE
        rounded = round(100 * share, 1)
        return self._percent(99.9 if rounded == 100 and share < 1 else rounded)

    def confidence(self, share: float | None) -> str:
        """A share (0 to 1) in percent, rounded down to a tenth: what reads as 100 % is certain."""
        return NONE if share is None else self._percent(int(share * 1000) / 10)

    def duration(self, seconds: float | None) -> str:
        """A duration in two units at most: ``340 ms``, ``1.2 s``, ``3 min 05 s``, ``2 h 10 min``."""
        if seconds is None:
            return NONE
        if seconds < 0.9995:
            return f"{seconds * 1000:.0f}{NO_BREAK_SPACE}ms"
        if seconds < MINUTE:
            return f"{self.decimal(seconds, 1)}{NO_BREAK_SPACE}s"
        large, small, (one, other) = (MINUTE, 1, ("min", "s")) if seconds < HOUR else (HOUR, MINUTE, ("h", "min"))
        whole, rest = int(seconds // large), int(seconds % large // small)
        return f"{whole}{NO_BREAK_SPACE}{one} {rest:02d}{NO_BREAK_SPACE}{other}"

    def size(self, count: int | None) -> str:
        """Bytes as MB or GB, in French Mo or Go."""
        if count is None:
            return NONE
        if count < 1e9:
            return f"{self.decimal(count / 1e6, 0)}{NO_BREAK_SPACE}" + self.gettext("MB")
        return f"{self.decimal(count / 1e9, 1)}{NO_BREAK_SPACE}" + self.gettext("GB")

    def date(self, moment: datetime | str | None) -> str:
        """The date of a moment, which may be ISO 8601 text: ``5 January 2026``."""
        read = _moment(moment)
        return NONE if read is None else format_date(read, "long", self._locale)

    def date_and_time(self, moment: datetime | str | None) -> str:
        """Date and time of a moment, with its time zone: ``5 January 2026, 14:03 UTC``."""
        read = _moment(moment)
        if read is None:
            return NONE
        return f"{self.date(read)}, {read:%H:%M} {read.tzname() or ''}".rstrip()

    def ago(self, moment: datetime, now: datetime | None = None) -> str:
        """How long ago a moment was: ``3 hours ago``; its date when it was more than a week ago."""
        passed = ((now or datetime.now(UTC)) - moment).total_seconds()
        if passed > WEEK:
            return self.date(moment)
        for size in (DAY, HOUR, MINUTE):
            if passed >= size:
                whole = timedelta(seconds=passed // size * size)
                return format_timedelta(-whole, threshold=1, add_direction=True, locale=self._locale)
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


def _filled(message: str, parameters: dict[str, object]) -> str:
    return string.Formatter().vformat(message, (), parameters) if parameters else message


def _moment(moment: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(moment) if isinstance(moment, str) and moment else moment or None


def preferred_language(accepted: str) -> str | None:
    """The language that an ``Accept-Language`` header likes best of those there are; None when it names none."""
    liked = []
    for place, part in enumerate(accepted.split(",")[:20]):
        name, _, weight = part.partition(";")
        code = name.strip()[:2].lower()
        try:
            quality = float(weight.partition("=")[2]) if weight else 1.0
        except ValueError:
            quality = 0.0
        if code in LANGUAGES and quality > 0:
            liked.append((-quality, place, code))
    return min(liked)[2] if liked else None
