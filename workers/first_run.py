"""The first start of a stack: an admin key, the sample catalogue, a first model, a few new listings, and a login hint.

``python -m workers.first_run ADDRESS COUNT`` runs beside the stack once it is up; COUNT 0 skips the sample. The next
start completes an interrupted first start; a marker file in the home says that it is complete.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from sqlalchemy.exc import SQLAlchemyError

from infra.embedded.home import Home
from infra.private_files import write_private
from infra.sample.generator import SampleListing, fresh_listings, write_catalogue
from infra.settings import read_settings
from infra.storage.weights_fetch_log import WeightsFetchLog
from infra.store.jobs.queries import read_long_job
from infra.store.listings.queries import count_undecided_listings
from infra.store.models import active_model_id
from infra.store.taxonomies.queries import find_taxonomy
from pipeline.domain.api_key import KeyRequest, Scope, new_secret
from pipeline.domain.errors import RayonError, TransientFailure, Unavailable
from pipeline.domain.job import JobState
from pipeline.domain.training import TrainingRequest
from pipeline.steps.keys import create_first_key
from pipeline.steps.trainings import request_training
from workers.bootstrap import WorkerContext, build

SOURCE = "sample"
FRENCH_SOURCE = "sample-fr"  # a shop whose listings are all French, without categories: the model fills them in
FRENCH_SHARE = 0.15  # of the listings of the sample
FRENCH_SEED = 21
TIMEOUT = 600.0
POLL_INTERVAL = 0.25
REPORT_INTERVAL = 5.0
WAIT_SECONDS = 20
REQUEST_TIMEOUT = 30.0
NAME_WIDTH = 56


class ApiClient:
    """Posts listings of one source with an API key; raises Unavailable with the API's message when it refuses."""

    def __init__(self, address: str, key: str, source: str) -> None:
        self._address = address
        self._source = source
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def upload(self, photo: bytes, content_type: str = "image/jpeg") -> str:
        """Upload a photo to a presigned URL; returns its storage key."""
        body = {"content_type": content_type, "size": len(photo)}
        upload = self._call("POST", f"{self._address}/v1/uploads", json=body)
        # Without the session and its key: the presigned URL grants access by itself, and may be on another host.
        headers = {"Content-Type": content_type, **upload["headers"]}
        response = requests.put(upload["url"], data=photo, headers=headers, timeout=REQUEST_TIMEOUT)
        if not response.ok:
            raise Unavailable(f"the upload of a photo was refused ({response.status_code}): {response.text[:300]}")
        key: str = upload["key"]
        return key

    def post(self, listing: SampleListing) -> str:
        """Post a listing with its photo and wait for the decision; returns the decision as one line of text."""
        photo = listing.jpeg()
        body = {
            "source": self._source,
            "external_id": listing.external_id,
            "name": listing.name,
            "description": listing.description,
            "attributes": dict(listing.attributes),
            "images": [self.upload(photo)] if photo else [],
        }
        posted = self._call(
            "POST", f"{self._address}/v1/listings", json=body, headers={"Prefer": f"wait={WAIT_SECONDS}"}
        )
        name = listing.name if len(listing.name) <= NAME_WIDTH else listing.name[: NAME_WIDTH - 1] + "…"
        decision = posted.get("decision")
        if not decision:
            return f"{name} -> not decided within {WAIT_SECONDS} s"
        if decision["category"] is None:
            return f"{name} -> {decision['status']}: {decision['reason']}"
        return f"{name} -> {decision['category']} ({decision['confidence']:.0%}) -> {decision['status']}"

    def _call(self, method: str, url: str, **arguments: Any) -> dict[str, Any]:
        response = self._session.request(method, url, timeout=REQUEST_TIMEOUT, **arguments)
        if not response.ok:
            raise Unavailable(f"{method} {url} was refused ({response.status_code}): {response.text[:300]}")
        content: dict[str, Any] = response.json()
        return content


class FirstRun:
    """The steps of a first start; a step that is already done does nothing."""

    def __init__(self, context: WorkerContext, home: Home, address: str, print_line: Callable[[str], None]) -> None:
        self._context = context
        self._environ = {**os.environ, **home.environment()}
        self._address = address
        self._print_line = print_line
        self.key_file = home.folder / "admin-key"
        self.marker = home.run / "welcomed"

    def make_admin_key(self) -> None:
        """Create the first key, print it once, and save it in a file private to its owner; no-op if there are keys."""
        secret = self.key_file.read_text().strip() if self.key_file.exists() else new_secret()
        request = KeyRequest.of("first admin", [Scope.ADMIN])
        key = create_first_key(
            self._context.units, request, secret, lambda secret: write_private(self.key_file, secret + "\n")
        )
        if key is not None:
            self._print_line(f"the admin key, shown once and kept in {self.key_file}:\n\n    {secret}\n")

    def load_sample(self, folder: Path, count: int) -> None:
        """Generate the sample catalogue and import it with ``rayon import``."""
        self._print_line(f"generating the sample catalogue: {count} listings and their photos")
        file = write_catalogue(folder, count)
        self._print_line(f"importing it as the source '{SOURCE}'")
        self._await_import(self._start_import(file, SOURCE))

    @contextmanager
    def loading_french_source(self, folder: Path, count: int) -> Iterator[None]:
        """Import a source of French listings, without categories, while the block runs."""
        self._print_line(f"importing {count} French listings without categories as the source '{FRENCH_SOURCE}'")
        process = self._start_import(write_catalogue(folder, count, FRENCH_SEED, "fr", labelled=False), FRENCH_SOURCE)
        try:
            yield
            self._await_import(process)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()

    def _start_import(self, file: Path, source: str) -> subprocess.Popen[str]:
        images = str(file.parent / "images")
        arguments = ("import", str(file), "--images", images, "--source", source, "--taxonomy", SOURCE)
        command = [sys.executable, "-m", "workers.cli", *arguments]
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self._environ
        )

    def _await_import(self, process: subprocess.Popen[str]) -> None:
        _, errors = process.communicate()
        if process.returncode != 0:
            raise Unavailable(f"the import ended with exit code {process.returncode}: {errors.strip()[-1000:]}")

    def train(self) -> None:
        """Train the first model and print the progress; no-op if there is an active model."""
        with self._context.engine.connect() as connection:
            taxonomy = find_taxonomy(connection, SOURCE)
            if active_model_id(connection, taxonomy.id) is not None:
                return
        job_id = request_training(self._context.units, taxonomy.id, TrainingRequest()).id
        self._print_line(f"training the first model of the taxonomy '{taxonomy.name}'")
        reported_at, deadline, reported_note = time.monotonic(), time.monotonic() + TIMEOUT, ""
        while time.monotonic() < deadline:
            with self._context.engine.connect() as connection:
                job = read_long_job(connection, job_id)
            if job.state is JobState.DONE:
                self._print_line(f"  {job.note}")
                return
            if job.state is JobState.DEAD:
                raise Unavailable(f"the training failed: {job.note}")
            if job.note and job.note != reported_note and time.monotonic() - reported_at > POLL_INTERVAL * 4:
                self._print_line(f"  {job.progress:4.0%}  {job.note}")
                reported_at, reported_note = time.monotonic(), job.note
            time.sleep(POLL_INTERVAL)
        raise Unavailable("the training takes very long; see 'rayon status'")

    def await_decisions(self, count: int) -> None:
        """Wait until the model has decided every listing of the sample."""
        reported_at, deadline = time.monotonic(), time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            with self._context.engine.connect() as connection:
                undecided = sum(count_undecided_listings(connection, source) for source in (SOURCE, FRENCH_SOURCE))
            if undecided == 0:
                self._print_line(f"all {count} listings are decided")
                return
            if time.monotonic() - reported_at > REPORT_INTERVAL:
                self._print_line(f"  {count - undecided} of {count} listings are decided")
                reported_at = time.monotonic()
            time.sleep(POLL_INTERVAL)
        raise Unavailable(f"{undecided} listings are still undecided; see 'rayon doctor'")

    def post_new_listings(self) -> None:
        """Post listings that the model has never seen, as a seller would, and print the decisions."""
        self._print_line("a few new listings, posted to the API as a seller would:")
        client = ApiClient(self._address, self.key_file.read_text().strip(), SOURCE)
        for listing in fresh_listings():
            self._print_line("  " + client.post(listing))

    def report_missing_weights(self) -> None:
        """Print a line for each weights file that beat has failed to fetch so far."""
        with suppress(TransientFailure):
            available, fetch_log = self._context.registry.available_weights(), WeightsFetchLog(self._context.storage)
            for name in self._context.settings.weights_to_fetch():
                failure = fetch_log.failed(name)
                if failure is not None and name not in available:
                    self._print_line(f"{failure.reason}; everything else works without them")

    def run(self, count: int) -> None:
        """Run all steps; ``count`` 0 skips the sample."""
        self.make_admin_key()
        if count:
            french = round(count * FRENCH_SHARE)
            with tempfile.TemporaryDirectory(prefix="rayon-sample-") as folder:
                self.load_sample(Path(folder) / SOURCE, count - french)
                with self.loading_french_source(Path(folder) / FRENCH_SOURCE, french):
                    self.train()
            self.await_decisions(count)
            self.post_new_listings()
        self.report_missing_weights()
        self.marker.touch()

    def login_hint(self) -> str:
        """The last line of every start: how to log in."""
        if self.key_file.exists():
            return f"open {self._address} and log in with the admin key in {self.key_file}"
        return f"open {self._address} and log in with an admin key (rayon keys create --name NAME --scope admin)"


def complete_first_run(folder: Path, address: str, count: int, print_line: Callable[[str], None]) -> bool:
    """Run the remaining steps of the first start, then print how to log in; returns False if a step failed."""
    home = Home(folder)
    settings = read_settings({**os.environ, **home.environment()})
    first_run = FirstRun(build(settings, application="rayon first run"), home, address, print_line)
    succeeded = True
    if not first_run.marker.exists():
        try:
            first_run.run(count)
        except (RayonError, SQLAlchemyError, requests.RequestException, OSError) as error:
            stack = home.status()
            if stack is not None and stack.state in ("stopping", "stopped"):
                print_line("the first start was interrupted; the next 'rayon up' completes it")
                return False
            succeeded = False
            reason = error.__cause__ or error if isinstance(error, SQLAlchemyError) else error
            print_line(f"the first start is not complete: {str(reason).strip()}")
            print_line("everything keeps running; see 'rayon doctor'. The next 'rayon up' tries again.")
    print_line(first_run.login_hint())
    return succeeded


def main(arguments: list[str]) -> int:
    """Complete the first start; returns the exit code, 1 if a step failed."""
    address, count = arguments
    home = Path(os.environ["RAYON_HOME"])
    return 0 if complete_first_run(home, address, int(count), lambda line: print(line, flush=True)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
