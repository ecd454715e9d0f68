"""Universal Sentence Encoder (Cer et al. 2018, arXiv:1803.11175) by tensorflow-hub: 512 numbers per listing name.

The module is a TensorFlow SavedModel of a gigabyte that maps strings (n,) to float32 (n, 512). A model version stores
only its digest, and serving workers load no tensorflow, so this extractor is for studies and for workers of the roles
``train`` and ``tensorflow``. A SavedModel is a program: take it only from its publisher.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.domain.listing import Evidence
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.features import encoder_input
from pipeline.features.extractor import ExtractorSettings, State, Vectors, check_state
from pipeline.features.weights_lookup import CheckedWeights, local_weights, missing_weights
from pipeline.networks import packed_folder

MODULE_URL = "https://tfhub.dev/google/universal-sentence-encoder/4"
WIDTH = 512
BATCH_SIZE = 128  # texts
RESPONSE_TIMEOUT_SECONDS = 10.0
Encode = Callable[[Sequence[str]], Vectors]


class UniversalSentenceEncoder(ExtractorSettings):
    """Listings to 512-d unit vectors of their names; nothing is learned from the catalogue.

    ``weights``: a local folder or tar archive of the module, or its URL, which is requested only if given here; None
    uses the module that tensorflow-hub has cached (TFHUB_CACHE_DIR) under the published URL. Learns ``digest_``.

    >>> UniversalSentenceEncoder(weights="use-4.tar.gz").fit([]).transform(evidences).shape  # doctest: +SKIP
    (8, 512)
    """

    version: ClassVar[int] = 1

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    def fit(self, evidences: Sequence[Evidence]) -> Self:  # noqa: ARG002 - part of the protocol
        """Load the module; the listings are not used.

        Raises Unavailable when there is none or its URL does not respond, BadArtefact when it is another kind of
        module.
        """
        self.digest_, encode = _load(self.weights)
        self._encode: Encode | None = encode
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Vectors:
        """float32, shape (n, 512), unit rows; a row of zeros for a listing without name and description.

        A restored extractor loads its module on the first call: Unavailable when there is none, BadArtefact when it
        is not the one that the extractor was fitted with.
        """
        if self._encode is None:
            digest, encode = _load(self.weights)
            if digest != self.digest_:
                raise BadArtefact(f"the module of use here is {digest[:12]}…, the model's is {self.digest_[:12]}…")
            self._encode = encode
        texts, rows = encoder_input.encodable_texts(evidences)
        vectors = np.zeros((len(evidences), WIDTH), dtype=np.float32)
        for start in range(0, len(texts), BATCH_SIZE):
            vectors[rows[start : start + BATCH_SIZE]] = self._encode(texts[start : start + BATCH_SIZE])
        return encoder_input.unit_rows(vectors)

    def state(self) -> State:
        """The digest of the module, which is not part of the state."""
        return {"kind": "use", "version": self.version, "digest": self.digest_}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the extractor without its module; set ``weights`` with ``set_params``."""
        check_state(state, "use", cls.version)
        restored = cls()
        restored.digest_ = str(state["digest"])
        restored._encode = None
        return restored

    @classmethod
    def check_weights(cls, location: str, folder: Path) -> CheckedWeights:
        """Check the module of a folder, archive or URL by loading it once, and pack it."""
        archive = folder / "use.tar.gz"
        with _module(location) as module:
            _encoder(module)
            packed_folder.pack_folder(module, archive)
        return CheckedWeights(archive)


def _load(weights: str | None) -> tuple[str, Encode]:
    with _module(weights) as module:
        return packed_folder.folder_digest(module), _encoder(module)


@contextmanager
def _module(weights: str | None) -> Iterator[Path]:
    """The module's folder; whatever can be checked without tensorflow is checked before it is loaded."""
    if weights is None:
        # Where tensorflow-hub stores its downloads (compressed_module_resolver.py of its version 0.16).
        cache = Path(os.environ.get("TFHUB_CACHE_DIR") or Path(tempfile.gettempdir()) / "tfhub_modules")
        folder = cache / hashlib.sha1(MODULE_URL.encode(), usedforsecurity=False).hexdigest()
        if not (folder / "saved_model.pb").is_file():
            raise missing_weights("use", ReasonCode.MODULE_MISSING, "FOLDER")
        yield folder
    elif weights.startswith(("http://", "https://")):
        yield _download(weights)
    else:
        with packed_folder.unpacked_folder(local_weights("use", weights, "FOLDER")) as folder:
            if not (folder / "saved_model.pb").is_file():
                raise BadArtefact(f"{weights} holds no saved_model.pb: take the folder or archive of {MODULE_URL}")
            yield folder


def _download(url: str) -> Path:
    import tensorflow as tf
    import tensorflow_hub

    previous_timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(RESPONSE_TIMEOUT_SECONDS)  # tensorflow-hub opens URLs without a timeout
    try:
        folder = Path(tensorflow_hub.resolve(url))
    except (OSError, ValueError, EOFError, tf.errors.OpError) as error:
        raise missing_weights("use", ReasonCode.DOWNLOAD_FAILED, "FOLDER", address=url, error=str(error)) from error
    finally:
        socket.setdefaulttimeout(previous_timeout)
    if not folder.is_dir():
        reason = Reason.of(
            ReasonCode.DOWNLOAD_NO_FOLDER, address=url, place=str(folder), variable="TFHUB_MODEL_LOAD_FORMAT"
        )
        raise Unavailable(reason)
    return folder


def _encoder(folder: Path) -> Encode:
    import tensorflow as tf
    import tensorflow_hub

    def encode(texts: Sequence[str]) -> Vectors:
        return np.asarray(module(tf.constant(list(texts))), dtype=np.float32)

    try:
        module: Any = tensorflow_hub.load(str(folder))
        shape = encode(["a product"]).shape
    except Exception as error:  # a file that is no graph fails differently in protobuf, in tensorflow and in Python
        raise BadArtefact(f"{folder.name} is no module that encodes texts: {error}") from error
    if shape != (1, WIDTH):
        raise BadArtefact(f"{folder.name} makes of one text an array of shape {shape}, not (1, {WIDTH})")
    return encode
