"""A sentence encoder by sentence-transformers (Reimers & Gurevych 2019, arXiv:1908.10084), on a listing's name.

The library is the optional extra ``rayon[sentence]``. A model version stores only the digest of the encoder: this
extractor is for studies, and for workers that train.
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
from pipeline.features import short_text
from pipeline.features.extractor import ExtractorSettings, State, Vectors, check_state
from pipeline.features.weights_lookup import CheckedWeights, local_weights, missing_weights
from pipeline.networks import packed_folder

BATCH = 64  # texts
ANSWER_SECONDS = 10.0  # in which the hub must describe a model
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
# The same weights in other formats, and formats that only a pickle can read.
UNUSED = ("onnx/*", "openvino/*", "*.bin", "*.pt", "*.h5", "*.ot", "*.msgpack", "*.onnx")


class SentenceEncoder(ExtractorSettings):
    """Listings to unit vectors of their names, on the CPU; nothing is learned from the catalogue.

    ``weights``: the local folder of a model as sentence-transformers saves it (safetensors), a tar archive of it, or
    its name on the hub, which is asked only when the library's cache does not have it. Learns ``digest_`` and
    ``width_``.

    >>> SentenceEncoder(weights="all-MiniLM-L6-v2").fit([]).transform(evidences).shape  # doctest: +SKIP
    (8, 384)
    """

    version: ClassVar[int] = 1

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    def fit(self, evidences: Sequence[Evidence]) -> Self:  # noqa: ARG002 - the protocol's
        """Load the model; the listings are not used.

        Raises Unavailable when the library is not installed or there is no model, BadArtefact when it cannot be read.
        """
        self.digest_, model = _load(self.weights)
        self.width_ = _encode(model, ["a product"]).shape[1]
        self._model: Any = model
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Vectors:
        """float32, shape (n, width_), unit rows; a row of zeros for a listing without name and description.

        A restored extractor loads its model at the first call: Unavailable when there is none, BadArtefact when it is
        another one than it was fitted with.
        """
        if self._model is None:
            found, model = _load(self.weights)
            if found != self.digest_:
                raise BadArtefact(
                    f"the model of sentence here is {found[:12]}…, the one needed is {self.digest_[:12]}…"
                )
            self._model = model
        texts, rows = short_text.encodable_texts(evidences)
        vectors = np.zeros((len(evidences), self.width_), dtype=np.float32)
        if texts:
            vectors[rows] = _encode(self._model, texts)
        return short_text.unit_rows(vectors)

    def state(self) -> State:
        """The digest of the model, which is not part of the state, and the width of its vectors."""
        return {"kind": "sentence", "version": self.version, "digest": self.digest_, "width": self.width_}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The same extractor without its model, which ``set_params(weights=…)`` names."""
        check_state(state, "sentence", cls.version)
        restored = cls()
        restored.digest_, restored.width_ = str(state["digest"]), int(state["width"])
        restored._model = None
        return restored

    @classmethod
    def check_weights(cls, given: str, folder: Path) -> CheckedWeights:
        """Load the model of a folder, an archive or a name on the hub once to check it, and pack it."""
        library = _library()
        packed = folder / "sentence.tar.gz"
        with _folder(given) as found:
            _encode(_open(library, found), ["a product"])
            packed_folder.pack_folder(found, packed)
        return CheckedWeights(packed)


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
    """The model's folder in the library's own cache, fetched from the hub when it is not there."""
    hub = import_module("huggingface_hub")
    repository = name if "/" in name else f"sentence-transformers/{name}"  # as the library completes names
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    try:
        return Path(hub.snapshot_download(repository, cache_dir=cache, local_files_only=True))
    except (OSError, ValueError):
        pass
    try:
        # A request of its own, since only this one takes a time limit: a silent network would block for ever.
        commit = hub.HfApi().model_info(repository, timeout=ANSWER_SECONDS).sha
        found = hub.snapshot_download(repository, revision=commit, cache_dir=cache, ignore_patterns=UNUSED)
    except Exception as error:  # its network errors are those of whatever client the library uses
        said = (str(error) or repr(error)).splitlines()[0]
        raise missing_weights("sentence", ReasonCode.MODEL_NOT_ON_HUB, "FOLDER", model=name, error=said) from error
    return Path(found)


def _open(library: ModuleType, folder: Path) -> Any:
    try:
        return library.SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    except Exception as error:  # a folder that is no model fails in torch, in transformers or in Python
        raise BadArtefact(
            f"{folder.name} is no model that sentence-transformers can open ({error}); give a folder it saved, with "
            "its weights as safetensors"
        ) from error


def _encode(model: Any, texts: list[str]) -> Vectors:
    vectors = model.encode(
        texts, batch_size=BATCH, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(vectors, dtype=np.float32)
