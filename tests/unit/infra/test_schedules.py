"""Schedules: when they are due next, held against Celery's own reading of cron, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from celery.schedules import crontab
from hypothesis import given
from hypothesis import strategies as st

from infra.schedules import ScheduledQuery, next_after, read_collect_schedule, schedule_line
from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import ProductQuery, QueryKind

START = datetime(2026, 2, 27, 23, 30, 12, tzinfo=UTC)  # a Friday
moments = st.datetimes(datetime(1999, 1, 1), datetime(2101, 1, 1), timezones=st.just(UTC))


def fields(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    ranges = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.integers(1, most).map(lambda step: f"*/{step}")
    return st.one_of(st.just("*"), steps, st.lists(st.one_of(number.map(str), ranges), min_size=1).map(",".join))


@pytest.mark.parametrize(
    ("line", "due"),
    [
        ("* * * * *", "2026-02-27 23:31"),
        ("0 3 * * *", "2026-02-28 03:00"),
        ("30 23 * * *", "2026-02-28 23:30"),
        ("31 23 * * *", "2026-02-27 23:31"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("0 0 29 feb *", "2028-02-29 00:00"),
        ("*/20 8-9 1 * *", "2026-03-01 08:00"),
        ("5/20 * * * *", "2026-02-27 23:45"),
        ("0 6 * * mon-fri", "2026-03-02 06:00"),
        ("0 6 * * 7", "2026-03-01 06:00"),
        ("0 6 15 * sun", "2026-03-01 06:00"),  # one of both days, as in cron
        ("@weekly", "2026-03-01 00:00"),
        ("every 3600", "2026-02-28 00:00"),
        ("every 1", "2026-02-27 23:30:13"),
    ],
)
def test_when_it_is_due_next(line: str, due: str) -> None:
    assert next_after(line, START) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@given(fields(0, 59), fields(0, 23), fields(1, 12), fields(0, 6), moments)
def test_it_is_due_when_celery_says_so(minute: str, hour: str, month: str, weekday: str, now: datetime) -> None:
    due = next_after(f"{minute} {hour} * {month} {weekday}", now)
    theirs = crontab(minute, hour, day_of_week=weekday, month_of_year=month, nowfun=lambda: now, app=_Utc())
    assert due == now + theirs.remaining_estimate(now)


class _Utc:
    timezone = UTC

    class conf:  # noqa: N801 - Celery's name
        enable_utc = True


@given(st.integers(1, 1_000_000), moments)
def test_periods_count_from_1970_whenever_they_are_read(seconds: int, now: datetime) -> None:
    line = f"every {seconds}"
    due = next_after(line, now)
    assert timedelta(0) < due - now <= timedelta(seconds=seconds)
    assert due.timestamp() % seconds == 0
    assert next_after(line, due) - due == timedelta(seconds=seconds)


def test_any_time_zone_is_read_as_utc() -> None:
    here = START.astimezone(timezone(timedelta(hours=9)))
    assert next_after("0 3 * * *", here) == datetime(2026, 2, 28, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "is not a schedule"),
        ("daily", "is not a schedule"),
        ("0 3 * *", "is not a schedule"),
        ("60 3 * * *", "bad minute"),
        ("0 3 * * funday", "bad day-of-week"),
        ("0 3 0 * *", "bad day-of-month"),
        ("0 9-5 * * *", "bad hour"),
        ("*/0 * * * *", "bad minute"),
        ("0 3 , * *", "bad day-of-month"),
        ("0 3 30 2 *", "bad day-of-month"),
        ("every 0", "from 1 to"),
        ("every -5", "from 1 to"),
        ("every 1.5", "from 1 to"),
        ("every 99999999999", "from 1 to"),
    ],
)
def test_a_bad_schedule_is_refused_with_a_reason(line: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        next_after(line, START)


@pytest.mark.parametrize(
    ("given_", "kept"), [("3600", "every 3600"), (60, "every 60"), (" 0  3 * * * ", "0 3 * * *"), ("@daily", "@daily")]
)
def test_a_schedule_is_stored_in_normal_form(given_: str | int, kept: str) -> None:
    assert schedule_line(given_) == kept


def test_a_setting_lists_several_queries() -> None:
    line = """
        openfoodfacts category=champagnes limit=100 every="0 3 * * *";
        openbeautyfacts text='shampoo; bio' every=3600 source=beauty taxonomy="Health >> Care" ;
        openfoodfacts changes every=@daily;
    """
    assert read_collect_schedule(line) == [
        ScheduledQuery("openfoodfacts", ProductQuery(QueryKind.CATEGORY, "champagnes", 100), "0 3 * * *"),
        ScheduledQuery(
            "openbeautyfacts", ProductQuery(QueryKind.TEXT, "shampoo; bio"), "every 3600", "beauty", "Health >> Care"
        ),
        ScheduledQuery("openfoodfacts", ProductQuery(QueryKind.CHANGES), "@daily"),
    ]
    assert read_collect_schedule(" ;; ") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("openfoodfacts category=teas", "not a schedule"),
        ("openfoodfacts every=60", "say what to collect, by one of category, text"),
        ("openfoodfacts category=teas every=60 limit=few", "the limit is a number of products"),
        ("openfoodfacts category=teas every=60 limit=0", "a limit is 1 or more"),
        ("openfoodfacts category=teas every=60 cron=60", "'cron=60' is not one of"),
        ("openfoodfacts category=teas category=coffees every=60", "'category=coffees' is the second category="),
        ("openfoodfacts category=teas every=0 3 * * *", "'3' is not one of"),
        ("openfoodfacts category='teas every=60", "a quotation mark is not closed"),
    ],
)
def test_a_bad_entry_is_named_with_its_problem(line: str, said: str) -> None:
    with pytest.raises(InvalidInput, match="openfoodfacts") as told:
        read_collect_schedule(line)
    assert said in str(told.value)
