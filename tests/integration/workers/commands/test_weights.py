"""Adding and fetching weights by command: checked, stored, and found in the storage by other processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.safe_fetch.published_file_download import downloaded_bytes
from pipeline.features import weights_lookup
from pipeline.features.extractor import load_extractor
from pipeline.networks.backbones import find_backbone
from tests.integration.infra.safe_fetch.file_host import FileRequestHandler, running_file_host
from tests.integration.workers.commands.conftest import Run
from tests.integration.workers.conftest import Bench
from tests.integration.workers.test_relay import until
from tests.unit.pipeline.networks.samples import photos, write_weights

ROOT = Path(__file__).parents[4]
# Making the module, adding it and using it share one process, since each would start a tensorflow of its own.
MODULE = """
import os
import sys
sys.modules.update(dict.fromkeys(("matplotlib", "pandas", "sklearn")))  # Keras starts sooner without them
from pathlib import Path
import numpy as np
from pipeline.features import weights_lookup
from pipeline.features.extractor import build_extractor
from infra.settings import read_settings
from tests.unit.pipeline.features.sentence_module import LISTINGS, write_module
from workers.bootstrap import build
from workers.cli import main
module = write_module(Path(sys.argv[1]))
sys.argv = ["rayon", "models", "add", "use", str(module)]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
found = weights_lookup.find_weights("use", build(read_settings(os.environ)).registry.weights_path)
extractors = [build_extractor("use", weights=str(path)).fit([]) for path in (found, module)]
first, second = (extractor.transform(LISTINGS) for extractor in extractors)
assert str(found) != str(module)
print(np.array_equal(first, second), first.any())
"""


def test_squeezenet_is_added_and_used_from_the_storage(rayon: Run, bench: Bench, tmp_path: Path) -> None:
    file = write_weights(find_backbone("squeezenet"), tmp_path / "weights.h5")
    added = rayon("models", "add", "squeezenet", str(file), "--json")
    assert added.returncode == 0, added.stderr
    report = json.loads(added.stdout)
    assert (report["name"], report["published"]) == ("squeezenet", False)
    file.unlink()
    found = weights_lookup.find_weights("squeezenet", bench.context.registry.weights_path)
    assert load_extractor("squeezenet")(weights=found).fit([]).transform(photos(2)).shape == (2, 512)


def test_a_module_of_the_sentence_encoder_is_added_and_used_from_the_storage(
    environment: dict[str, str], bench: Bench, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", MODULE, str(tmp_path / "module")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "the weights of use are installed" in done.stdout
    assert done.stdout.splitlines()[-1] == "True True"
    assert weights_lookup.find_weights("use", bench.context.registry.weights_path) is not None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("squeezenet", b"<html>Not found</html>", "no weights file of squeezenet"),
        ("vgg16", b"<html>Not found</html>", "no weights file of vgg16"),
        ("use", b"<html>Not found</html>", "neither a folder nor a whole tar archive"),
        ("sentence", None, "sentence"),
        ("tfidf", b"", "takes no weights; these do: use, sentence, efficientnet, efficientnet_lite2, vgg16"),
    ],
)
def test_anything_else_than_weights_is_refused_and_not_stored(
    rayon: Run, bench: Bench, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / "given"
    if content is not None:
        path.write_bytes(content)
    done = rayon("models", "add", name, str(path))
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(bench.context.storage.keys("weights/")) == []


def test_the_published_file_is_fetched_from_a_mirror(rayon: Run, bench: Bench, shared_data: Path) -> None:
    """The real one: only its bytes have the known digest."""
    content = (shared_data / "weights" / find_backbone("squeezenet").published.name).read_bytes()
    with running_file_host(content) as mirror:
        fetched = rayon("models", "fetch", "squeezenet", "--from", mirror.address, "--json")
        assert fetched.returncode == 0, fetched.stderr
        assert json.loads(fetched.stdout) == {
            "name": "squeezenet",
            "sha256": find_backbone("squeezenet").published.sha256,
            "published": True,
            "fetched": True,
        }
    assert weights_lookup.find_weights("squeezenet", bench.context.registry.weights_path) is not None
    # No request is made any more: the mirror is gone.
    again = rayon("models", "fetch", "squeezenet", "--from", mirror.address)
    assert "the published weights of squeezenet are installed already" in again.stdout


def test_a_closed_network_is_reported_in_one_line(rayon: Run, bench: Bench) -> None:
    with running_file_host(b"") as mirror:
        address = mirror.address
    done = rayon("models", "fetch", "vgg16", "--from", address)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "rayon: the weights of vgg16 cannot be fetched: 127.0.0.1 cannot be reached (Connection refused): the network "
        "is closed, or the host is down (or add a file: rayon models add vgg16 FILE)\n"
    )
    assert list(bench.context.storage.keys("weights/")) == []


def test_a_stopped_fetch_says_how_to_go_on(rayon: Run, bench: Bench) -> None:
    def stop(request: FileRequestHandler) -> None:
        request.head(200, Content_Length="58889256", ETag='"one"')
        request.send(bytes(2_000_000))
        request.wfile.flush()
        until(lambda: downloaded_bytes(find_backbone("vgg16").published, folder) == 2_000_000, 20)
        next(process for process in psutil.Process().children() if "fetch" in process.cmdline()).send_signal(
            signal.SIGINT
        )

    folder = bench.context.settings.home / "cache" / "downloads" / "vgg16"
    # A shell that runs the tests in the background has its children ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with running_file_host(b"") as mirror:
            mirror.ways = [stop]
            stopped = rayon("models", "fetch", "vgg16", "--from", mirror.address)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped.returncode == 130
    assert stopped.stderr == "stopped; 2.0 MB are kept, and the same command continues from there\n"
