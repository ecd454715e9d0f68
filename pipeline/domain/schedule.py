"""Schedule: when something is due again, as a cron line by UTC or as ``every N`` seconds."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.domain.errors import InvalidInput

LONGEST = 366 * 24 * 3600
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
# The calendar repeats its weeks and leap years within so many days, but for a century that has none.
HORIZON = 366 * 29
PART = re.compile(r"(?:(\*)|(\w{1,9})(?:-(\w{1,9}))?)(?:/([0-9]{1,9}))?")
WHOLE = re.compile(r"[0-9]{1,9}")
HOW = "write a cron line of five fields by UTC, such as '0 3 * * *' (3:00 every day), or a number of seconds"


class Schedule(ABC):
    """Moments without end."""

    @abstractmethod
    def next_after(self, moment: datetime) -> datetime:
        """The first moment later than ``moment`` (which has a time zone), in UTC."""


@dataclass(frozen=True, slots=True)
class Every(Schedule):
    """Each time a whole number of periods has passed since 1970, whoever counts and whenever he began."""

    seconds: int

    def next_after(self, moment: datetime) -> datetime:
        """The end of the period that ``moment`` lies in."""
        return datetime.fromtimestamp((int(moment.timestamp()) // self.seconds + 1) * self.seconds, UTC)


@dataclass(frozen=True, slots=True)
class Cron(Schedule):
    """A cron line: numbers of each field; Sunday is 0. ``either`` says that one kind of day is enough (as in cron)."""

    minutes: Sequence[int]
    hours: Sequence[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def next_after(self, moment: datetime) -> datetime:
        """The first minute that fits, later than ``moment``."""
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for later in range(HORIZON):
            day = start if not later else start.replace(hour=0, minute=0) + timedelta(days=later)
            if not self._fits(day):
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    if (hour, minute) >= (day.hour, day.minute):
                        return day.replace(hour=hour, minute=minute)
        raise InvalidInput("there is no such day in any year")

    def _fits(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_week if self.either else by_date and by_week


def read_schedule(line: str) -> Schedule:
    """The schedule that a line tells: five fields of cron, ``@daily`` and the like, or ``every N`` in seconds.

    Raises InvalidInput that says what is wrong and how to write one.
    """
    words = line.split()
    if len(words) == 2 and words[0].lower() == "every":
        seconds = int(words[1]) if WHOLE.fullmatch(words[1]) else 0
        if not 1 <= seconds <= LONGEST:
            raise InvalidInput(f"'{line}': a period is a whole number of seconds from 1 to {LONGEST:,}")
        return Every(seconds)
    fields = NAMES.get(words[0].lower(), "").split() if len(words) == 1 else words
    if len(fields) != len(FIELDS):
        raise InvalidInput(f"'{line}' is no schedule; {HOW}")
    try:
        minutes, hours, days, months, weekdays = map(_numbers, fields, FIELDS)
        cron = Cron(
            sorted(minutes),
            sorted(hours),
            days,
            months,
            frozenset(day % 7 for day in weekdays),
            not fields[2].startswith("*") and not fields[4].startswith("*"),
        )
        cron.next_after(datetime(2000, 1, 1, tzinfo=UTC))
    except InvalidInput as error:
        raise InvalidInput(f"'{line}' is no schedule: {error}; {HOW}") from error
    return cron


def schedule_line(given: str | int) -> str:
    """What the record keeps of what somebody asked for: a number of seconds becomes ``every N``; checked.

    Raises InvalidInput as ``read_schedule`` does.
    """
    words = str(given).split()
    line = f"every {words[0]}" if len(words) == 1 and WHOLE.fullmatch(words[0]) else " ".join(words)
    read_schedule(line)
    return line


def _numbers(field: str, of: tuple[str, int, int]) -> frozenset[int]:
    name, least, most = of
    found: set[int] = set()
    for part in field.split(","):
        match = PART.fullmatch(part)
        if match is None:
            raise InvalidInput(f"the {name} '{field}' cannot be read")
        every, first, last, step = match.groups()
        low = least if every else _number(first, of)
        # "5/10" is from 5 on, as in most crons.
        high = most if every or (step and not last) else _number(last, of) if last else low
        if low > high or (step and not int(step)):
            raise InvalidInput(f"the {name} '{part}' is never")
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def _number(word: str, of: tuple[str, int, int]) -> int:
    name, least, most = of
    names = MONTHS if name == "month" else DAYS if most == 7 else ()
    if word.lower() in names:
        return names.index(word.lower()) + least
    if not WHOLE.fullmatch(word) or not least <= int(word) <= most:
        raise InvalidInput(f"the {name} '{word}' is not from {least} to {most}")
    return int(word)
