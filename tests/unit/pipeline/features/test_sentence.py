"""The sentence extractor against a stand-in for sentence-transformers, and against the real library where it is."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.domain.listing import Evidence
from pipeline.features.sentence import SentenceEncoder

LISTINGS = [
    Evidence("Blue cotton curtain"),
    Evidence("Red cotton curtain"),
    Evidence(""),
    Evidence("", "A steel watch"),
]


class FakeSentenceTransformer:
    """The part of ``SentenceTransformer`` in use: opened from a folder, it encodes texts at the width saved there."""

    def __init__(self, name: str, *, device: str, local_files_only: bool, model_kwargs: dict[str, Any]) -> None:
        assert (device, local_files_only, model_kwargs) == ("cpu", True, {"use_safetensors": True})
        self.width = json.loads((Path(name) / "config.json").read_text())["width"]

    def encode(
        self, texts: list[str], *, batch_size: int, convert_to_numpy: bool, normalize_embeddings: bool,
        show_progress_bar: bool,
    ) -> NDArray[np.float32]:  # fmt: skip
        assert batch_size > 0
        assert convert_to_numpy
        assert normalize_embeddings
        assert not show_progress_bar
        return np.stack([self._row(text) for text in texts])

    def _row(self, text: str) -> NDArray[np.float32]:
        row = np.zeros(self.width)
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
            row += np.random.default_rng(seed).standard_normal(self.width)
        return np.asarray(row / np.linalg.norm(row), dtype=np.float32)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = FakeSentenceTransformer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"width": 24}')
    return folder


def test_without_the_library_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    for use in (lambda: SentenceEncoder(str(model)).fit(LISTINGS),
                lambda: SentenceEncoder.check_weights(str(model), model)):  # fmt: skip
        with pytest.raises(Unavailable, match=r"^sentence needs .* pip install 'rayon\[sentence\]'$"):
            use()


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("weights", [None, "/no/such/folder", "gone.tar.gz/"])
def test_without_a_model_the_error_names_the_command(weights: str | None) -> None:
    with pytest.raises(Unavailable, match=r"^sentence .* run: rayon models add sentence FOLDER$"):
        SentenceEncoder(weights).fit(LISTINGS)


@pytest.mark.usefixtures("library")
def test_names_become_unit_vectors_and_no_text_becomes_zeros(model: Path) -> None:
    extractor = clone(SentenceEncoder(str(model))).fit(LISTINGS)
    rows = extractor.transform(LISTINGS)
    assert rows.shape == (4, 24)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 0, 1], rtol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[3]
    np.testing.assert_array_equal(rows, extractor.transform(LISTINGS))
    assert extractor.transform([]).shape == (0, 24)


@pytest.mark.usefixtures("library")
def test_kept_weights_give_the_same_vectors(model: Path, tmp_path: Path) -> None:
    fitted = SentenceEncoder(str(model)).fit([])
    (tmp_path / "kept").mkdir()
    kept = SentenceEncoder.check_weights(str(model), tmp_path / "kept").path
    packed = SentenceEncoder(str(kept)).fit([])
    restored = SentenceEncoder.from_state(fitted.state()).set_params(weights=str(kept))
    assert packed.digest_ == fitted.digest_
    for each in (packed, restored):
        np.testing.assert_array_equal(each.transform(LISTINGS), fitted.transform(LISTINGS))


@pytest.mark.usefixtures("library")
def test_a_restored_extractor_takes_the_model_it_was_fitted_with_only(model: Path) -> None:
    state = SentenceEncoder(str(model)).fit([]).state()
    with pytest.raises(Unavailable, match="rayon models add sentence"):
        SentenceEncoder.from_state(state).transform(LISTINGS)
    (model / "config.json").write_text('{"width": 25}')
    with pytest.raises(BadArtefact, match="the one needed is"):
        SentenceEncoder.from_state(state).set_params(weights=str(model)).transform(LISTINGS)
    with pytest.raises(BadArtefact, match="train a new model"):
        SentenceEncoder.from_state({**state, "version": 99})


@pytest.mark.usefixtures("library")
def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArtefact, match="no model that sentence-transformers can open"):
        SentenceEncoder(str(tmp_path)).fit([])


class FakeHub:
    """The part of ``huggingface_hub`` in use: a cache that may hold the model, and a hub that may serve it."""

    def __init__(self, folder: Path, *, cached: bool, error: Exception | None = None) -> None:
        self.folder, self.cached, self.error = folder, cached, error
        self.requests: list[tuple[str, object]] = []

    def HfApi(self) -> FakeHub:  # noqa: N802 - its name there
        return self

    def model_info(self, name: str, *, timeout: float) -> SimpleNamespace:
        self.requests.append((name, timeout))
        if self.error:
            raise self.error
        return SimpleNamespace(sha="abc")

    def snapshot_download(
        self, name: str, *, cache_dir: str | None, local_files_only: bool = False, revision: str = "main",
        ignore_patterns: Sequence[str] = (),
    ) -> str:  # fmt: skip
        assert cache_dir == "somewhere"
        if local_files_only and not self.cached:
            raise FileNotFoundError(name)
        if not local_files_only:
            assert "*.bin" in ignore_patterns  # a pickle
            self.requests.append((name, revision))
        return str(self.folder)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("name", "cached", "requests"),
    [
        ("tiny-model", True, []),
        (
            "tiny-model",
            False,
            [("sentence-transformers/tiny-model", 10.0), ("sentence-transformers/tiny-model", "abc")],
        ),
        ("someone/tiny", False, [("someone/tiny", 10.0), ("someone/tiny", "abc")]),
    ],
)
def test_a_name_is_looked_up_in_the_cache_and_then_on_the_hub(
    model: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, cached: bool, requests: list[tuple[str, object]]
) -> None:
    hub = FakeHub(model, cached=cached)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", "somewhere")
    assert SentenceEncoder(name).fit(LISTINGS).width_ == 24
    assert hub.requests == requests


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("error", [TimeoutError(), OSError("no route\nand more"), RuntimeError("closed")])
def test_a_hub_that_does_not_answer_is_reported_in_one_line(
    model: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", FakeHub(model, cached=False, error=error))
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", "somewhere")
    with pytest.raises(Unavailable, match="the hub does not give it") as refusal:
        SentenceEncoder("someone/tiny").fit(LISTINGS)
    assert "\n" not in str(refusal.value)


@pytest.mark.skipif(find_spec("sentence_transformers") is None, reason="the extra rayon[sentence] is not installed")
def test_a_tiny_transformer_of_the_real_library(tmp_path: Path) -> None:
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = [*marks, *letters, *(f"##{letter}" for letter in letters)]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary))
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "bert")
    torch.manual_seed(0)
    size = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    shape = transformers.BertConfig(vocab_size=len(vocabulary), **size)
    transformers.BertModel(shape).save_pretrained(tmp_path / "bert")
    parts = [Transformer(str(tmp_path / "bert")), Pooling(48)]
    SentenceTransformer(modules=parts, device="cpu").save(str(tmp_path / "model"))
    kept = SentenceEncoder.check_weights(str(tmp_path / "model"), tmp_path).path
    fitted, packed = (SentenceEncoder(str(path)).fit([]) for path in (tmp_path / "model", kept))
    rows = fitted.transform(LISTINGS)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 0, 1], rtol=1e-5)
    np.testing.assert_array_equal(rows, packed.transform(LISTINGS))
    assert packed.digest_ == fitted.digest_
