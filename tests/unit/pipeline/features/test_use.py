"""The Universal Sentence Encoder's extractor on a module of the same signature, through the real tensorflow-hub."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from pipeline.domain.errors import BadArtefact
from pipeline.features.extractor import build_extractor
from pipeline.features.use import MODULE_URL, UniversalSentenceEncoder
from tests.unit.pipeline.features.sentence_module import LISTINGS

# All ask the one process with tensorflow.
pytestmark = pytest.mark.xdist_group("sentence module")
ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("use")


@pytest.fixture(scope="module")
def answering(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a publisher of the packed module, and the paths requested of it."""
    requested: list[str] = []

    class ArchiveRequestHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write((folder / "use.tar.gz").read_bytes())

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), ArchiveRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/google/universal-sentence-encoder/4", requested
        server.shutdown()


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """An address that accepts connections and never answers."""
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/module"


@pytest.fixture(scope="module")
def found(folder: Path, answering: tuple[str, list[str]], silent: str) -> dict[str, Any]:
    """One process with tensorflow for all tests of this module."""
    program = "tests.unit.pipeline.features.sentence_module"
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.networks.keras_launcher", program, str(folder), answering[0], silent],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return result


@pytest.fixture(scope="module")
def vectors(found: dict[str, Any], folder: Path) -> dict[str, NDArray[np.float32]]:  # noqa: ARG001 - made with them
    with np.load(folder / "vectors.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def test_names_become_unit_vectors_and_no_text_becomes_zeros(vectors: dict[str, NDArray[np.float32]]) -> None:
    rows = vectors["folder"]
    assert rows.shape == (len(LISTINGS), 512)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0, 1], rtol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]


@pytest.mark.parametrize("way", ["archive", "address", "restored"])
def test_each_origin_of_the_module_gives_the_same_vectors(vectors: dict[str, NDArray[np.float32]], way: str) -> None:
    np.testing.assert_array_equal(vectors[way], vectors["folder"])


def test_more_texts_than_one_batch_keep_their_order(vectors: dict[str, NDArray[np.float32]]) -> None:
    np.testing.assert_allclose(vectors["many"], np.tile(vectors["folder"], (60, 1)), atol=1e-6)


def test_the_module_is_downloaded_once_and_then_read_from_the_cache(
    found: dict[str, Any], answering: tuple[str, list[str]], folder: Path
) -> None:
    assert answering[1] == ["/google/universal-sentence-encoder/4?tf-hub-format=compressed"]
    assert found["cached again"] == found["digests"]["address"]
    assert (folder / "cache").is_dir()


def test_the_digest_is_the_same_wherever_the_module_comes_from(found: dict[str, Any]) -> None:
    assert len(set(found["digests"].values())) == 1


def test_the_module_in_the_cache_under_its_published_address_needs_no_weights(found: dict[str, Any]) -> None:
    assert found["empty cache"]["class"] == "Unavailable"
    assert found["published cache"]["class"] == "none", found["published cache"]


@pytest.mark.parametrize("way", ["silent", "refused"])
def test_without_a_network_the_error_comes_soon_and_names_the_commands(found: dict[str, Any], way: str) -> None:
    assert found[way]["class"] == "Unavailable"
    assert "; run: rayon models fetch use, or: rayon models add use FOLDER" in found[way]["error"]
    assert found[way]["seconds"] < 9  # RESPONSE_TIMEOUT_SECONDS is 1 there, 10 elsewhere
    assert found["timeout afterwards"] is None


@pytest.mark.parametrize(("way", "error"), [("damaged", "no module that encodes"), ("narrow", "shape (1, 3), not (1")])
def test_a_module_of_another_kind_is_refused(found: dict[str, Any], way: str, error: str) -> None:
    assert found[way]["class"] == "BadArtefact"
    assert error in found[way]["error"]


def test_a_restored_extractor_takes_the_module_it_was_fitted_with_only(found: dict[str, Any]) -> None:
    assert found["lost"]["class"] == "Unavailable"
    assert found["another"]["class"] == "BadArtefact"
    assert "the model's are" in found["another"]["error"]


def test_kept_weights_are_a_plain_archive(found: dict[str, Any]) -> None:
    with tarfile.open(found["kept"]) as tar:
        assert "saved_model.pb" in tar.getnames()


def test_a_folder_without_a_module_is_refused_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    code = """
import sys
from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.features import use
use.bundled_weights = lambda name: None
for weights in (None, sys.argv[1]):
    try:
        use.UniversalSentenceEncoder(weights).fit([])
    except (BadArtefact, Unavailable) as error:
        print(error)
print("tensorflow" in sys.modules)
"""
    environment = {"TFHUB_CACHE_DIR": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    commands = "rayon models fetch use, or: rayon models add use FOLDER"
    assert lines[0] == f"use has no module here; run: {commands}"
    assert lines[1:] == [f"{tmp_path} holds no saved_model.pb: take the folder or archive of {MODULE_URL}", "False"]


def test_settings_and_state() -> None:
    extractor = clone(build_extractor("use", weights="somewhere"))
    assert isinstance(extractor, UniversalSentenceEncoder)
    assert extractor.get_params() == {"weights": "somewhere", "description_weight": 0.25, "attributes_weight": 0.0}
    with pytest.raises(BadArtefact, match="train a new model"):
        UniversalSentenceEncoder.from_state({"kind": "use", "version": 99, "digest": "0" * 64})
