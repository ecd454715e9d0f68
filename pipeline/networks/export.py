"""Exporting a backbone for serving, in a process of its own: the caller never loads tensorflow."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.domain.errors import Unavailable
from pipeline.networks.backbones import Backbone
from pipeline.networks.runner import ExportedNetwork
from pipeline.networks.weights import read_weights

TIMEOUT = 300  # seconds; it takes about ten


def export(row: Backbone, weights: Path) -> ExportedNetwork:
    """The network of ``row`` with the weights of the file, ready for a ``Runner``.

    The last export is kept, since cross-validation asks for the same one in every fold. Raises BadArtefact when the
    file is damaged or of another kind, Unavailable when tensorflow is not installed here or fails.
    """
    read_weights(row, weights)  # a bad file is refused here, at once and in plain words
    stat = weights.stat()
    return _export(row, weights.resolve(), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1)
def _export(row: Backbone, weights: Path, size: int, changed: int) -> ExportedNetwork:
    with TemporaryDirectory(prefix="rayon-export-") as folder:
        command = [sys.executable, "-m", "pipeline.networks.keras_export", row.name, str(weights), folder]
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT, env=environment)
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines()
            reason = said[-1] if said else f"it ended with {error.returncode}"
            raise Unavailable(f"unavailable: {row.name} could not be exported for serving: {reason}") from error
        except subprocess.TimeoutExpired as error:
            message = f"unavailable: exporting {row.name} for serving took more than {TIMEOUT} s; try again"
            raise Unavailable(message) from error
        return ExportedNetwork.from_folder(Path(folder))
