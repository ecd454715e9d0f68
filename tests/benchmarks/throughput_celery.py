"""The plain way: a Celery task that reads one listing, predicts, and writes one row.

``python -m tests.benchmarks.throughput_celery PROCESSES`` reads a list of keys from standard input, prints a line
when the worker is ready, and another when all of them are in the table. SIGTERM ends it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_ready
from sqlalchemy import create_engine, text

from pipeline.domain.listing import Evidence
from tests.benchmarks.throughput_engine import active_model

app = Celery("plain", broker=os.environ["BROKER_URL"])
app.conf.update(task_default_queue="bench-plain", task_ignore_result=True, worker_redirect_stdouts=False)
held: dict[str, Any] = {}


@worker_process_init.connect
def load(**_: Any) -> None:
    """Load the model in each process, after the fork."""
    held["context"], held["model"] = active_model()


@app.task(name="bench.predict")
def predict(key: str) -> None:
    """Predict one listing and write the row."""
    photo = held["context"].storage.get(key)
    (answer,) = held["model"].answer([Evidence("Lamp", "A lamp for the table", photo=photo)])
    with held["context"].engine.begin() as connection:
        connection.execute(
            text("INSERT INTO bench_plain (key, category) VALUES (:key, :category)"),
            {"key": key, "category": answer.decision.category},
        )


def main() -> None:
    """Run the worker in this process, and follow the table from a thread."""
    engine = create_engine(os.environ["DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS bench_plain (key text, category text)"))
        connection.execute(text("TRUNCATE bench_plain"))
    worker = app.Worker(
        pool="prefork",
        concurrency=int(sys.argv[1]),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="ERROR",
        quiet=True,  # no banner on standard output
    )

    # Read before the worker starts, which closes standard input.
    keys = json.loads(sys.stdin.readline())

    def follow() -> None:
        print(json.dumps("ready"), flush=True)
        for key in keys:
            predict.delay(key)
        count = 0
        while count < len(keys):
            time.sleep(0.02)
            with engine.connect() as connection:
                count = connection.execute(text("SELECT count(*) FROM bench_plain")).scalar_one()
        print(json.dumps("done"), flush=True)

    worker_ready.connect(lambda **_: threading.Thread(target=follow, daemon=True).start(), weak=False)
    worker.start()


if __name__ == "__main__":
    main()
