"""Universal Sentence Encoder (Cer et al. 2018, arXiv:1803.11175): 512 numbers per listing.

By default the multilingual encoder that is installed with Rayon (``networks.sentence_network``), which needs no
TensorFlow. With ``weights`` a module of tensorflow-hub instead, a TensorFlow SavedModel of a gigabyte that maps strings
(n,) to float32 (n, 512), for studies and for workers of the roles ``train`` and ``tensorflow``. A SavedModel is a
program: take it only from its publisher. A model version stores only the digest of either.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.domain.listing import Evidence
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.features import encoder_input
from pipeline.features.extractor import ExtractorSettings, State, Vectors, check_state
from pipeline.features.weights_lookup import CheckedWeights, local_weights, missing_weights
from pipeline.networks import packed_folder
from pipeline.networks.sentence_network import SentenceNetwork

MODULE_URL = "https://tfhub.dev/google/universal-sentence-encoder/4"
WIDTH = 512
BATCH_SIZE = 128  # texts that the module encodes at a time
RESPONSE_TIMEOUT_SECONDS = 10.0
_MODULE_VERSION = 1  # of the states of earlier programs, which knew the module only and read names only
Encode = Callable[[Sequence[str]], Vectors]


class UniversalSentenceEncoder(ExtractorSettings):
    """Listings to 512-d unit vectors of their texts; nothing is learned from the catalogue.

    A vector is the weighted mean of those of the name (weight 1), of the first words of the description and of the
    attributes. A weight of 0 leaves a text out, except that the description stands for a missing name. The default
    weights suit clusterings.

    ``weights``: None for the encoder installed with Rayon, or where that is missing for the module that tensorflow-hub
    has cached (TFHUB_CACHE_DIR) under the published URL; the path of the installed weights (``.npz``); or a local
    folder or tar archive of the module, or its URL, which is requested only if given here. Learns ``digest_`` and
    ``is_module_``: whether it is that of a module.

    >>> UniversalSentenceEncoder().fit([]).transform([Evidence("Blue cotton curtain")]).shape
    (1, 512)
    """

    version: ClassVar[int] = 2

    def __init__(
        self, weights: str | None = None, description_weight: float = 0.25, attributes_weight: float = 0.0
    ) -> None:
        self.weights = weights
        self.description_weight = description_weight
        self.attributes_weight = attributes_weight

    def fit(self, evidences: Sequence[Evidence]) -> Self:  # noqa: ARG002 - part of the protocol
        """Load the encoder; the listings are not used.

        Raises Unavailable when there is none or its URL does not respond, BadArtefact when it is another kind of
        module.
        """
        network = _installed_network(self.weights)
        self.is_module_ = network is None
        self._encode: Encode | None
        if network is not None:
            self.digest_, self._encode = network.digest, network.encode
        else:
            self.digest_, self._encode = _load_module(self.weights)
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Vectors:
        """float32, shape (n, 512), unit rows; a row of zeros for a listing without a text that the encoder knows.

        An extractor restored from a module loads it on the first call: Unavailable when there is none, BadArtefact
        when it is not the one that the extractor was fitted with.
        """
        if self._encode is None:
            digest, encode = _load_module(self.weights)
            self._check_digest(digest)
            self._encode = encode
        names = [encoder_input.name_text(evidence) for evidence in evidences]
        parts = [
            (1.0, names),
            (self.description_weight, [encoder_input.description_text(evidence) for evidence in evidences]),
            (self.attributes_weight, [encoder_input.attributes_text(evidence) for evidence in evidences]),
        ]
        if not self.description_weight:
            parts[:2] = [(1.0, [name or description for name, description in zip(names, parts[1][1], strict=True)])]
        return encoder_input.weighted_mean(parts, WIDTH, self._encode)

    def state(self) -> State:
        """Settings and the digest of the weights, which are not part of the state."""
        settings = {name: value for name, value in self.get_params().items() if name != "weights"}
        record = {"kind": "use", "version": self.version, "settings": settings}
        return record | {"digest": self.digest_, "module": self.is_module_}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the extractor; set ``weights`` with ``set_params`` where it was fitted with a module.

        Raises BadArtefact when other weights are installed than it was fitted with, Unavailable when there are none.
        """
        if state.get("version") == _MODULE_VERSION:
            check_state(state, "use", _MODULE_VERSION)
            state = state | {"settings": {"description_weight": 0.0, "attributes_weight": 0.0}, "module": True}
        else:
            check_state(state, "use", cls.version)
        restored = cls(**state["settings"])
        restored.digest_, restored.is_module_, restored._encode = str(state["digest"]), bool(state["module"]), None
        if not restored.is_module_:
            network = _installed_network(None)
            if network is None:
                raise missing_weights("use", ReasonCode.WEIGHTS_MISSING, "FOLDER")
            restored._check_digest(network.digest)
            restored._encode = network.encode
        return restored

    @classmethod
    def check_weights(cls, location: str, folder: Path) -> CheckedWeights:
        """Check the module of a folder, archive or URL by loading it once, and pack it."""
        archive = folder / "use.tar.gz"
        with _module(location) as module:
            _module_encoder(module)
            packed_folder.pack_folder(module, archive)
        return CheckedWeights(archive)

    def _check_digest(self, digest: str) -> None:
        if digest != self.digest_:
            raise BadArtefact(f"the weights of use here are {digest[:12]}…, the model's are {self.digest_[:12]}…")


def _installed_network(weights: str | None) -> SentenceNetwork | None:
    """The encoder installed with Rayon, or that of a file like its own; None where ``weights`` are a module's."""
    if weights is None:
        bundled = bundled_weights("use")
        return None if bundled is None else _open_network(bundled.path)
    if not weights.endswith(".npz"):
        return None
    return _open_network(local_weights("use", weights, "FOLDER"))


@lru_cache(maxsize=1)
def _open_network(path: Path) -> SentenceNetwork:
    """One network for all extractors and models of a process; its largest table is shared by processes of a stack."""
    home = os.environ.get("RAYON_HOME")
    return SentenceNetwork.open(path.parent, Path(home) / "cache" if home else None)


def _load_module(weights: str | None) -> tuple[str, Encode]:
    with _module(weights) as module:
        return packed_folder.folder_digest(module), _module_encoder(module)


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


def _module_encoder(folder: Path) -> Encode:
    import tensorflow as tf
    import tensorflow_hub

    def encode(texts: Sequence[str]) -> Vectors:
        batches = [texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE)]
        return np.concatenate([np.asarray(module(tf.constant(list(batch))), dtype=np.float32) for batch in batches])

    try:
        module: Any = tensorflow_hub.load(str(folder))
        shape = encode(["a product"]).shape
    except Exception as error:  # a file that is no graph fails differently in protobuf, in tensorflow and in Python
        raise BadArtefact(f"{folder.name} is no module that encodes texts: {error}") from error
    if shape != (1, WIDTH):
        raise BadArtefact(f"{folder.name} makes of one text an array of shape {shape}, not (1, {WIDTH})")
    return encode
