"""Collections with a period of a second, two beats, and changes that take effect without a restart."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.domain.collection import CollectionUpdate, NewSchedule, ProductRequest
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.steps.collections import add_collection, change_collection
from tests.integration.workers.conftest import Bench
from tests.integration.workers.test_beat import beating
from tests.integration.workers.test_relay import until
from workers.beat import CollectionSchedule
from workers.commands.doctor import check_database

FOOD = "openfoodfacts"
TEAS = ProductRequest(FOOD, ProductQuery(QueryKind.CATEGORY, "green-teas"), "tests")
SETTINGS = {"RAYON_COLLECT_SCHEDULE": "openfoodfacts category=champagnes limit=10 every=1", "RAYON_STUDY_EVERY": "0"}
IMPORTS = "SELECT unique_key FROM imports WHERE query ->> 'value' = '{}' ORDER BY id"
# What a worker would do.
END = """
    UPDATE jobs SET state = 'done', ended_at = now() WHERE kind = 'collect' AND state = 'waiting';
    UPDATE imports SET status = 'done', ended_at = now() WHERE status = 'running';
"""


class Runs:
    """The runs so far, each ended as soon as it is seen."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def of(self, category: str) -> list[datetime]:
        """The periods of a category's runs."""
        self.bench.run(END)
        keys = [key for (key,) in self.bench.rows(IMPORTS.format(category))]
        return [datetime.fromisoformat(key.split(":", 2)[2]) for key in keys]

    def until_more(self, category: str, more: int) -> None:
        so_far = len(self.of(category))
        until(lambda: len(self.of(category)) >= so_far + more, 30)


@pytest.mark.timeout(120)
def test_two_beats_begin_one_run_a_period_and_changes_hold_without_a_restart(
    bench: Bench, redis_url: str, tmp_path: Path
) -> None:
    runs = Runs(bench)
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    units = bench.context.units
    with ExitStack() as stack:
        beats = [stack.enter_context(beating(bench, redis_url, log, **SETTINGS)) for log in logs]
        until(lambda: all("beat: Starting" in log.read_text() for log in logs), 30)
        runs.until_more("champagnes", 2)

        added = add_collection(units, TEAS, "every 1").id
        runs.until_more("green-teas", 1)
        change_collection(units, added, CollectionUpdate(paused=True))
        paused = runs.of("green-teas")
        runs.until_more("champagnes", 2)
        assert runs.of("green-teas") == paused
        change_collection(units, added, CollectionUpdate(NewSchedule("every 2"), paused=False))
        runs.until_more("green-teas", 1)
        assert [at.second % 2 for at in runs.of("green-teas")[len(paused) :]] == [0]

        # One dies; the other goes on.
        beats[0].kill()
        runs.until_more("champagnes", 2)
        assert beats[1].poll() is None
    for category in ("champagnes", "green-teas"):
        periods = runs.of(category)
        assert periods == sorted(set(periods)), "a period has one run"
    told = "".join(log.read_text() for log in logs)
    # Each of the two may have ended between the commit of a run and its line.
    assert told.count("is due: import") - bench.value("SELECT count(*) FROM imports") in (-2, -1, 0)
    assert bench.value("SELECT count(*) FROM collections") == 2


def test_a_setting_that_cannot_be_read_holds_nothing_up(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for line, said in (
        ("openfoodfact category=teas every=60", "there is no product database 'openfoodfact'"),
        ("openfoodfacts category=teas every=often", "not a schedule"),
    ):
        schedule = CollectionSchedule(bench.context.units, line)
        schedule.start_due()
        schedule.start_due()
        told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert len(told) == 1
        assert told[0].startswith("RAYON_COLLECT_SCHEDULE cannot be used")
        assert said in told[0]
        caplog.clear()
        context = replace(bench.context, settings=bench.context.settings.model_copy(update={"collect_schedule": line}))
        wrong = [check.found for check in check_database(context) if check.name == "collection" and not check.good]
        assert len(wrong) == 1
        assert said in wrong[0]
    assert bench.value("SELECT count(*) FROM collections") == 0


def test_what_a_setting_tells_is_kept_once_and_stays_paused(bench: Bench) -> None:
    line = f"{FOOD} category=teas every='0 3 * * *' source=drinks taxonomy=shelves; {FOOD} changes every=60"
    for _ in range(2):  # as when beat is started again
        CollectionSchedule(bench.context.units, line).start_due()
    kept = bench.rows(
        "SELECT s.name, t.name, c.schedule FROM collections c JOIN sources s ON s.id = c.source_id "
        "JOIN taxonomies t ON t.id = s.taxonomy_id ORDER BY c.id"
    )
    assert kept == [("drinks", "shelves", "0 3 * * *"), (FOOD, FOOD, "every 60")]
    first = bench.value("SELECT min(id) FROM collections")
    change_collection(bench.context.units, first, CollectionUpdate(paused=True))
    CollectionSchedule(bench.context.units, line).start_due()
    assert bench.value("SELECT count(*) FROM collections WHERE paused AND next_at IS NULL") == 1
