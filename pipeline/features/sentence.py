"""A sentence encoder by sentence-transformers (Reimers & Gurevych 2019, arXiv:1908.10084), for the name of a listing.

The library is the optional extra ``rayon[sentence]``. A model version stores only the digest of the encoder, so this
extractor is for studies and for workers that train.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
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

BATCH_SIZE = 64  # texts
HUB_TIMEOUT_SECONDS = 10.0  # for the request of a model's description
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
# The same weights in other formats, and formats that only a pickle can read.
IGNORED_FILES = ("onnx/*", "openvino/*", "*.bin", "*.pt", "*.h5", "*.ot", "*.msgpack", "*.onnx")


class SentenceEncoder(ExtractorSettings):
    """Listings to unit vectors of their names, on the CPU; nothing is learned from the catalogue.

    ``weights``: the local folder of a model as sentence-transformers saves it (safetensors), a tar archive of it, or
    its name on the hub, which is queried only if the model is not in the library's cache. Learns ``digest_`` and
    ``width_``.

    >>> SentenceEncoder(weights="all-MiniLM-L6-v2").fit([]).transform(evidences).shape  # doctest: +SKIP
    (8, 384)
    """

    version: ClassVar[int] = 1

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    def fit(self, evidences: Sequence[Evidence]) -> Self:  # noqa: ARG002 - part of the protocol
        """Load the model; the listings are not used.

        Raises Unavailable when the library is not installed or there is no model, BadArtefact when it cannot be read.
        """
        self.digest_, model = _load(self.weights)
        self.width_ = _encode(model, ["a product"]).shape[1]
        self._model: Any = model
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Vectors:
        """float32, shape (n, width_), unit rows; a row of zeros for a listing without name and description.

        A restored extractor loads its model on the first call: Unavailable when there is none, BadArtefact when it is
        not the one that the extractor was fitted with.
        """
        if self._model is None:
            digest, model = _load(self.weights)
            if digest != self.digest_:
                raise BadArtefact(
                    f"the model of sentence here is {digest[:12]}…, the one needed is {self.digest_[:12]}…"
                )
            self._model = model
        texts, rows = encoder_input.encodable_texts(evidences)
        vectors = np.zeros((len(evidences), self.width_), dtype=np.float32)
        if texts:
            vectors[rows] = _encode(self._model, texts)
        return encoder_input.unit_rows(vectors)

    def state(self) -> State:
        """The digest of the model, which is not part of the state, and the width of its vectors."""
        return {"kind": "sentence", "version": self.version, "digest": self.digest_, "width": self.width_}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the extractor without its model; set ``weights`` with ``set_params``."""
        check_state(state, "sentence", cls.version)
        restored = cls()
        restored.digest_, restored.width_ = str(state["digest"]), int(state["width"])
        restored._model = None
        return restored

    @classmethod
    def check_weights(cls, location: str, folder: Path) -> CheckedWeights:
        """Check the model of a folder, archive or hub name by loading it once, and pack it."""
        library = _library()
        archive = folder / "sentence.tar.gz"
        with _folder(location) as model_folder:
            _encode(_open(library, model_folder), ["a product"])
            packed_folder.pack_folder(model_folder, archive)
        return CheckedWeights(archive)


def _library() -> ModuleType:
    try:
        return import_module("sentence_transformers")
    except ImportError as error:
        reason = Reason.of(
            ReasonCode.LIBRARY_MISSING,
            extractor="sentence",
            library="sentence-transformers",
            error=str(error),
            command="pip install 'rayon[sentence]'",
        )
        raise Unavailable(reason) from error


def _load(weights: str | None) -> tuple[str, Any]:
    library = _library()
    with _folder(weights) as folder:
        return packed_folder.folder_digest(folder), _open(library, folder)


@contextmanager
def _folder(weights: str | None) -> Iterator[Path]:
    if weights is not None and HUB_NAME.fullmatch(weights) and not Path(weights).exists():
        yield _from_hub(weights)
        return
    with packed_folder.unpacked_folder(local_weights("sentence", weights, "FOLDER")) as folder:
        yield folder


def _from_hub(name: str) -> Path:
    """The model's folder in the library's cache, downloaded from the hub if it is not there."""
    hub = import_module("huggingface_hub")
    repository = name if "/" in name else f"sentence-transformers/{name}"  # as the library completes names
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    try:
        return Path(hub.snapshot_download(repository, cache_dir=cache, local_files_only=True))
    except (OSError, ValueError):
        pass
    try:
        # A separate request, since only this one accepts a timeout: an unresponsive network would block for ever.
        commit = hub.HfApi().model_info(repository, timeout=HUB_TIMEOUT_SECONDS).sha
        downloaded = hub.snapshot_download(repository, revision=commit, cache_dir=cache, ignore_patterns=IGNORED_FILES)
    except Exception as error:  # network errors depend on the HTTP client that the library uses
        message = (str(error) or repr(error)).splitlines()[0]
        raise missing_weights("sentence", ReasonCode.MODEL_NOT_ON_HUB, "FOLDER", model=name, error=message) from error
    return Path(downloaded)


def _open(library: ModuleType, folder: Path) -> Any:
    try:
        return library.SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    except Exception as error:  # a folder without a model fails in torch, in transformers or in Python
        raise BadArtefact(
            f"{folder.name} is no model that sentence-transformers can open ({error}); give a folder it saved, with "
            "its weights as safetensors"
        ) from error


def _encode(model: Any, texts: list[str]) -> Vectors:
    vectors = model.encode(
        texts, batch_size=BATCH_SIZE, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(vectors, dtype=np.float32)
