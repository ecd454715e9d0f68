"""A stack as an earlier version left it (folder ``baseline``), opened by the present program."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from api.app import create_app
from infra.settings import read_settings
from infra.store.models import find_model
from pipeline.classification.trained_model import ModelAnswer
from pipeline.domain.job import AnnouncedWorker, Batch, JobKind, Queue
from pipeline.domain.listing import Evidence
from pipeline.domain.model_version import ActiveModel
from pipeline.steps.jobs import announce_worker, sweep
from workers.bootstrap import WorkerContext, build
from workers.cli import app as command_line
from workers.long_job_handlers import handle_long_job
from workers.long_job_runner import run_long_job
from workers.model_cache import ModelCache
from workers.worker import WorkerChild, categorise_jobs, open_child

BASELINE = Path(__file__).with_name("baseline")
REVISION = "0015"  # the migration of the earlier version
MAX_ROUNDS = 200


@dataclass
class UpgradedStack:
    """The earlier version's database and objects behind the present api, command line and workers."""

    context: WorkerContext
    api: TestClient
    child: WorkerChild
    environment: Mapping[str, str]
    keys: Mapping[str, str]

    def call(self, method: str, path: str, body: Any = None, key: str = "admin", **headers: str) -> Any:
        """The JSON of a successful answer."""
        answer = self.ask(method, path, body, key, **headers)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def ask(self, method: str, path: str, body: Any = None, key: str = "admin", **headers: str) -> httpx.Response:
        """The answer to a request with this key; ``_`` in names of headers means ``-``."""
        sent = {"Authorization": f"Bearer {self.keys[key]}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        answer: httpx.Response = self.api.request(method, path, json=body, headers=sent)
        return answer

    def listings(self) -> dict[str, dict[str, Any]]:
        """Every listing, withdrawn ones too, by ``source/external id``."""
        cards = [
            card
            for status in ("", "&status=withdrawn")
            for card in self.call("GET", f"/v1/listings?limit=200{status}")["items"]
        ]
        return {f"{card['source']}/{card['external_id']}": card for card in sorted(cards, key=lambda card: card["id"])}

    def decisions(self) -> dict[str, list[Any]]:
        """Status, category and confidence of every listing."""
        return {
            name: [card["status"], card["category"], card["confidence"] and round(card["confidence"], 6)]
            for name, card in self.listings().items()
        }

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT."""
        with self.context.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def execute(self, statement: str) -> None:
        """Run a statement that changes rows."""
        with self.context.engine.begin() as connection:
            connection.execute(text(statement))

    def command(self, *words: str) -> Any:
        """The JSON that a command prints."""
        result = CliRunner(env=self.environment).invoke(command_line, [*words, "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def work_off_jobs(self) -> None:
        """Sweep once, then take and run jobs as relay and workers would, until none is open."""
        settings = self.context.settings
        sweep(self.context.units, settings.retry_policy())
        for _ in range(MAX_ROUNDS):
            self.execute("UPDATE jobs SET not_before = now() WHERE state = 'waiting'")
            with self.context.units() as unit:
                batches = [
                    batch
                    for queue in (Queue.INTERACTIVE, Queue.CATEGORISE, Queue.TRAINING)
                    for batch in unit.outbox.take_batches(queue, settings.flow_policy())
                ]
                unit.commit()
            if not batches:
                return
            for batch in batches:
                self._run(batch)
        raise AssertionError(f"jobs are still open after {MAX_ROUNDS} rounds")

    def _run(self, batch: Batch) -> None:
        if batch.kind is JobKind.CATEGORISE:
            categorise_jobs(self.child, batch.job_ids)
            return
        for job_id in batch.job_ids:
            run_long_job(self.context, "new-training", job_id, handle_long_job)

    def close(self) -> None:
        """Close all connections."""
        self.child.context.engine.dispose()
        self.context.engine.dispose()
        self.api.app.state.context.engine.dispose()  # type: ignore[attr-defined]  # an ASGI app as httpx sees it


def load_database(database_url: str) -> None:
    """Load the earlier version's database into an empty one."""
    address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    statements = gzip.decompress((BASELINE / "database.sql.gz").read_bytes()).decode()
    with closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statements)


def unpack_objects(folder: Path) -> None:
    """Unpack the earlier version's object storage."""
    with tarfile.open(BASELINE / "objects.tar.xz") as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:  # Python before 3.11.4; the archive is our own
            archive.extractall(folder)


def open_stack(database_url: str, home: Path, keys: Mapping[str, str]) -> UpgradedStack:
    """Open the present program on an upgraded database; ``home`` holds the objects already."""
    environment = {
        "DATABASE_URL": database_url,
        "RAYON_HOME": str(home),
        "SECRET_KEY": "a secret of these tests",
        "PUBLIC_URL": "http://testserver",
        "RAYON_FETCH_WEIGHTS": "none",
        "RAYON_PRECISION_TARGET": "0.7",
        "RAYON_BATCH_SECONDS": "1000",
        "RAYON_WORKER_TIMEOUT": "3600",
    }
    settings = read_settings(environment)
    context = build(settings)
    for queue in Queue:
        announce_worker(context.units, AnnouncedWorker(f"new-{queue}", "serve", queue, 64))
    api = TestClient(create_app(settings), raise_server_exceptions=False)
    return UpgradedStack(context, api, open_child(settings, "new-categorise"), environment, keys)


def model_answers(context: WorkerContext, products: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The answers of each model version, by its id, to products, asked one by one as ``rayon categorise`` does."""
    with context.engine.connect() as connection:
        ids = [row[0] for row in connection.execute(text("SELECT id FROM model_versions ORDER BY id"))]
        versions = {model_id: find_model(connection, model_id) for model_id in ids}
    models = ModelCache(context.registry)
    answers = {}
    for model_id, version in versions.items():
        assert version is not None
        manifest = version.manifest
        model = models(ActiveModel(model_id, manifest["artefacts"], manifest["files"]))
        answers[str(model_id)] = [_as_json(model.answer([_evidence(product)])[0]) for product in products]
    return answers


def _evidence(product: Mapping[str, Any]) -> Evidence:
    photo = (BASELINE / product["photo"]).read_bytes() if product["photo"] else None
    return Evidence(product["name"], product["description"], product["attributes"], photo)


def _as_json(answer: ModelAnswer) -> dict[str, Any]:
    confidence = answer.decision.confidence
    return {
        "status": answer.decision.status.value,
        "category": answer.decision.category,
        "confidence": None if confidence is None else round(confidence, 6),
        "reason": str(answer.decision.reason),
        "image_problem": answer.image_problem and str(answer.image_problem),
        "predictions": {
            prediction.modality.value: [[ranked.category, round(ranked.probability, 6)] for ranked in prediction.ranked]
            for prediction in (answer.text, answer.image, answer.fused)
            if prediction is not None
        },
        "embeddings": {name: [round(float(x), 6) for x in vector[:6]] for name, vector in answer.embeddings.items()},
    }


# Fields with a sentence for people: what they say may be worded better later.
SENTENCES = frozenset({"why_not"})


def assert_contains(found: Any, expected: Any, place: str = "", tolerance: float = 1e-5) -> None:
    """Assert that ``found`` has all of ``expected``; further fields of objects are allowed."""
    if isinstance(expected, Mapping):
        assert isinstance(found, Mapping), place
        for name, value in expected.items():
            assert name in found, f"{place}.{name} is gone"
            if name in SENTENCES and value is not None:
                assert found[name], f"{place}.{name} says nothing"
                continue
            assert_contains(found[name], value, f"{place}.{name}", tolerance)
    elif isinstance(expected, list):
        assert isinstance(found, list), place
        assert len(found) == len(expected), f"{place} has {len(found)} items, not {len(expected)}"
        for position, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_contains(one, other, f"{place}[{position}]", tolerance)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=tolerance), place
    else:
        assert found == expected, f"{place} is {found!r}, not {expected!r}"
