"""The first start: an admin key, the sample catalogue, a first model, a few fresh listings, and how to log in.

``python -m workers.first_run ADDRESS COUNT``: run beside the stack once it is up; COUNT 0 leaves the sample out. What
an interrupted first start left is completed by the next one; a marker in the home ends it for good.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import requests
from sqlalchemy.exc import SQLAlchemyError

from infra.embedded.home import Home
from infra.private_files import write_private
from infra.sample.generator import fresh_listings, write_catalogue
from infra.settings import read_settings
from infra.storage.weights_ledger import WeightsLedger
from infra.store.health import count_undecided
from infra.store.jobs.long_jobs import read_run, request_training
from infra.store.keys.repository import create_key, list_keys
from infra.store.models.repository import SqlModels
from infra.store.taxonomies.repository import find_taxonomy
from pipeline.domain.api_key import Scope, new_secret
from pipeline.domain.errors import RayonError, TransientFailure, Unavailable
from pipeline.domain.job import JobState
from workers.api_client import ApiClient
from workers.bootstrap import WorkerContext, build

SOURCE = "sample"
PATIENCE = 600.0
LOOK_EVERY = 0.25
TELL_EVERY = 5.0

Say = Callable[[str], None]


class FirstRun:
    """The steps of a first start, each harmless when it was done before."""

    def __init__(self, context: WorkerContext, home: Home, address: str, say: Say) -> None:
        self._context = context
        self._environ = {**os.environ, **home.environment()}
        self._address = address
        self._say = say
        self.key_file = home.folder / "admin-key"
        self.marker = home.run / "welcomed"

    def make_admin_key(self) -> None:
        """The first key, printed once and kept for its owner only; none when the record has keys already."""
        with self._context.engine.begin() as connection:
            if list_keys(connection):
                return
            secret = self.key_file.read_text().strip() if self.key_file.exists() else new_secret()
            # Before the commit: a key in the record that nobody was told would be lost.
            write_private(self.key_file, secret + "\n")
            create_key(connection, "first admin", [Scope.ADMIN], secret=secret)
        self._say(f"the admin key, shown this once and kept in {self.key_file}:\n\n    {secret}\n")

    def load_sample(self, count: int) -> None:
        """Draw the sample catalogue and import it as anybody imports a file."""
        self._say(f"drawing the sample catalogue: {count} listings and their photos")
        with tempfile.TemporaryDirectory(prefix="rayon-sample-") as folder:
            file = write_catalogue(Path(folder), count)
            self._say(f"importing it as the source '{SOURCE}'")
            words = ("import", str(file), "--images", str(file.parent / "images"), "--source", SOURCE)
            command = [sys.executable, "-m", "workers.cli", *words]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environ)
        if done.returncode != 0:
            raise Unavailable(f"the import ended with exit code {done.returncode}: {done.stderr.strip()[-1000:]}")

    def train(self) -> None:
        """Have the first model trained, telling how far it is; nothing when there is one."""
        with self._context.engine.begin() as connection:
            taxonomy_id, name = find_taxonomy(connection, SOURCE)
            if SqlModels(connection).active(taxonomy_id) is not None:
                return
            job_id, _ = request_training(connection, taxonomy_id, {})
        self._say(f"training the first model of the taxonomy '{name}'")
        told, deadline, note = time.monotonic(), time.monotonic() + PATIENCE, ""
        while time.monotonic() < deadline:
            with self._context.engine.connect() as connection:
                run = read_run(connection, job_id)
            if run.state is JobState.DONE:
                self._say(f"  {run.note}")
                return
            if run.state is JobState.DEAD:
                raise Unavailable(f"the training failed: {run.note}")
            if run.note and run.note != note and time.monotonic() - told > LOOK_EVERY * 4:
                self._say(f"  {run.progress:4.0%}  {run.note}")
                told, note = time.monotonic(), run.note
            time.sleep(LOOK_EVERY)
        raise Unavailable("the training takes very long; 'rayon status' tells how far it is")

    def await_decisions(self, count: int) -> None:
        """Until every listing of the sample is decided by that model."""
        told, deadline = time.monotonic(), time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with self._context.engine.connect() as connection:
                left = count_undecided(connection, SOURCE)
            if left == 0:
                self._say(f"all {count} listings are decided")
                return
            if time.monotonic() - told > TELL_EVERY:
                self._say(f"  {count - left} of {count} listings are decided")
                told = time.monotonic()
            time.sleep(LOOK_EVERY)
        raise Unavailable(f"{left} listings are still undecided; 'rayon doctor' tells why")

    def post_fresh(self) -> None:
        """Post listings the model has never seen, as a seller would, and print what it says."""
        self._say("a few fresh listings, posted to the api as a seller would:")
        seller = ApiClient(self._address, self.key_file.read_text().strip(), SOURCE)
        for listing in fresh_listings():
            self._say("  " + seller.post(listing))

    def tell_of_weights(self) -> None:
        """A line on each of the weights that beat tried to fetch meanwhile, and could not."""
        with suppress(TransientFailure):
            available, ledger = self._context.registry.available_weights(), WeightsLedger(self._context.storage)
            for name in self._context.settings.weights_to_fetch():
                failed = ledger.failed(name)
                if failed is not None and name not in available:
                    self._say(f"{failed.reason}; everything else goes on without them")

    def run(self, count: int) -> None:
        """All steps; ``count`` 0 leaves the sample out."""
        self.make_admin_key()
        if count:
            self.load_sample(count)
            self.train()
            self.await_decisions(count)
            self.post_fresh()
        self.tell_of_weights()
        self.marker.touch()

    def how_to_log_in(self) -> str:
        """The last line of every start."""
        if self.key_file.exists():
            return f"open {self._address} and log in with the admin key in {self.key_file}"
        return f"open {self._address} and log in with an admin key (rayon keys create --name NAME --scope admin)"


def welcome(folder: Path, address: str, count: int, say: Say) -> bool:
    """Do what is left of the first start, then tell the address. False when a step failed, which is said plainly."""
    home = Home(folder)
    settings = read_settings({**os.environ, **home.environment()})
    first = FirstRun(build(settings, application="rayon welcome"), home, address, say)
    good = True
    if not first.marker.exists():
        try:
            first.run(count)
        except (RayonError, SQLAlchemyError, requests.RequestException, OSError) as error:
            stack = home.status()
            if stack is not None and stack.state in ("stopping", "stopped"):
                say("the first start was interrupted; the next 'rayon up' goes on from here")
                return False
            good = False
            reason = error.__cause__ or error if isinstance(error, SQLAlchemyError) else error
            say(f"the first start is not complete: {str(reason).strip()}")
            say("everything keeps running; see 'rayon doctor'. The next 'rayon up' goes on from here.")
    say(first.how_to_log_in())
    return good


def main(words: list[str]) -> int:
    """Exit code 0, or 1 when a step of the first start failed."""
    address, count = words
    return 0 if welcome(Path(os.environ["RAYON_HOME"]), address, int(count), lambda s: print(s, flush=True)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
