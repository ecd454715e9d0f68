"""Schedules of collections: when the next run is due, and the setting that lists scheduled queries."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import ProductQuery, QueryKind, named_query

MAX_PERIOD_SECONDS = 366 * 24 * 3600
CRON_FIELDS = 5
CRON_NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
DIGITS = re.compile(r"[0-9]{1,9}")
SYNTAX_HINT = "write a cron line of five fields by UTC, such as '0 3 * * *' (3:00 every day), or a number of seconds"
ENTRY_NAMES = (*(kind.value for kind in QueryKind), "every", "limit", "source", "taxonomy")


def next_after(line: str, moment: datetime) -> datetime:
    """The first time after ``moment`` (a datetime with a time zone) at which the schedule is due, in UTC.

    A schedule is a cron line or ``every N`` seconds; periods are counted from 1970, so that every process computes the
    same times. Raises InvalidInput, which explains the syntax, for anything else.
    """
    words = line.split()
    if len(words) == 2 and words[0].lower() == "every":
        seconds = int(words[1]) if DIGITS.fullmatch(words[1]) else 0
        if not 1 <= seconds <= MAX_PERIOD_SECONDS:
            raise InvalidInput(f"'{line}': a period is a whole number of seconds from 1 to {MAX_PERIOD_SECONDS:,}")
        return datetime.fromtimestamp((int(moment.timestamp()) // seconds + 1) * seconds, UTC)
    fields = CRON_NAMES.get(words[0].lower(), "").split() if len(words) == 1 else words
    if len(fields) != CRON_FIELDS:  # the library also accepts a sixth, for seconds, which cron does not have
        raise InvalidInput(f"'{line}' is not a schedule; {SYNTAX_HINT}")
    try:
        return next(CronSim(" ".join(fields), moment.astimezone(UTC)))
    except CronSimError as error:
        raise InvalidInput(f"'{line}' is not a schedule ({str(error).lower()}); {SYNTAX_HINT}") from error
    except StopIteration:
        raise InvalidInput(f"'{line}' is never due; {SYNTAX_HINT}") from None


def schedule_line(schedule: str | int) -> str:
    """The schedule in the form that is stored: validated, a number of seconds as ``every N``.

    Raises InvalidInput as ``next_after`` does.
    """
    words = str(schedule).split()
    line = f"every {words[0]}" if len(words) == 1 and DIGITS.fullmatch(words[0]) else " ".join(words)
    next_after(line, datetime.now(UTC))
    return line


@dataclass(frozen=True, slots=True)
class ScheduledQuery:
    """A query with its schedule; ``source`` and ``taxonomy`` are empty for the defaults."""

    database: str
    query: ProductQuery
    schedule: str
    source: str = ""
    taxonomy: str = ""


def read_collect_schedule(setting: str) -> list[ScheduledQuery]:
    """Parse the setting RAYON_COLLECT_SCHEDULE, whose entries are separated by semicolons.

    An entry is a database followed by words ``name=value``: one of category, text, barcodes, export and changes; every
    (a quoted cron line, or seconds); optionally limit, source and taxonomy. Raises InvalidInput that quotes the entry.
    """
    lexer = shlex.shlex(setting, posix=True, punctuation_chars=";")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise InvalidInput(f"a quotation mark is not closed in: {setting}") from error
    entries: list[list[str]] = [[]]
    for word in words:
        if set(word) == {";"}:
            entries.append([])
        else:
            entries[-1].append(word)
    return [_parse_entry(entry) for entry in entries if entry]


def _parse_entry(entry: list[str]) -> ScheduledQuery:
    database, *words = entry
    values: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in ENTRY_NAMES:
            allowed = ", ".join(f"{allowed_name}=" for allowed_name in ENTRY_NAMES)
            raise InvalidInput(f"'{' '.join(entry)}': '{word}' is not one of {allowed}")
        if name in values:
            raise InvalidInput(f"'{' '.join(entry)}': '{word}' is the second {name}=")
        values[name] = value
    limit, every = values.pop("limit", ""), values.pop("every", "")
    source, taxonomy = values.pop("source", ""), values.pop("taxonomy", "")
    try:
        if limit and not DIGITS.fullmatch(limit):
            raise InvalidInput("the limit is a number of products")
        if "changes" in values:
            values["changes"] = "all"
        query = named_query({QueryKind(name): value for name, value in values.items()}, int(limit) if limit else None)
        return ScheduledQuery(database, query, schedule_line(every), source, taxonomy)
    except InvalidInput as error:
        raise InvalidInput(f"'{' '.join(entry)}': {error}") from error
