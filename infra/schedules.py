"""Schedules: when something is due again, as a cron line by UTC or as ``every N`` seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from pipeline.domain.errors import InvalidInput

LONGEST = 366 * 24 * 3600
FIELDS = 5
NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
WHOLE = re.compile(r"[0-9]{1,9}")
HOW = "write a cron line of five fields by UTC, such as '0 3 * * *' (3:00 every day), or a number of seconds"


def next_after(line: str, moment: datetime) -> datetime:
    """The first moment, in UTC, later than ``moment`` (which has a time zone) that the schedule is due.

    ``every N`` counts its periods from 1970, whoever looks and whenever he began. Raises InvalidInput for what is no
    schedule, and says how to write one.
    """
    words = line.split()
    if len(words) == 2 and words[0].lower() == "every":
        seconds = int(words[1]) if WHOLE.fullmatch(words[1]) else 0
        if not 1 <= seconds <= LONGEST:
            raise InvalidInput(f"'{line}': a period is a whole number of seconds from 1 to {LONGEST:,}")
        return datetime.fromtimestamp((int(moment.timestamp()) // seconds + 1) * seconds, UTC)
    fields = NAMES.get(words[0].lower(), "").split() if len(words) == 1 else words
    if len(fields) != FIELDS:  # the library also reads six, with seconds, which nobody expects of cron
        raise InvalidInput(f"'{line}' is no schedule; {HOW}")
    try:
        return next(CronSim(" ".join(fields), moment.astimezone(UTC)))
    except CronSimError as error:
        raise InvalidInput(f"'{line}' is no schedule ({str(error).lower()}); {HOW}") from error
    except StopIteration:
        raise InvalidInput(f"'{line}' is never due; {HOW}") from None


def schedule_line(given: str | int) -> str:
    """What the record keeps of what somebody asked for: a number of seconds becomes ``every N``; checked.

    Raises InvalidInput as ``next_after`` does.
    """
    words = str(given).split()
    line = f"every {words[0]}" if len(words) == 1 and WHOLE.fullmatch(words[0]) else " ".join(words)
    next_after(line, datetime.now(UTC))
    return line
