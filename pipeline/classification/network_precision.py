"""In which precision the networks of a model serve: int8 where held-out photos say that it costs no accuracy.

The choice comes before everything else is learned, so that estimators, calibration and thresholds are learned from, and
every held-out figure is of, the very vectors that serve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Floats
from pipeline.classification.estimators import IMAGE_PENALTIES, fit_ridge
from pipeline.classification.feature_extraction import Progress
from pipeline.classification.grouped_folds import assign_folds
from pipeline.classification.nystroem import fit_join
from pipeline.classification.photo_reader import PhotoReader, feature_vector
from pipeline.classification.targets import LabelledSet
from pipeline.domain.errors import BadImage, InvalidInput, Unavailable
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import ImageExtractor, Photo
from pipeline.features.photo_decoding import decode_photo
from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.engine import computes_bf16
from pipeline.networks.precision import Precision, parse_precision

AUTOMATIC = "auto"
ALLOWED = 0.005  # of held-out accuracy that a faster precision may lose against fp32
MOST = 1_000  # photos looked at: more of them tell half a point no better than they are worth
CALIBRATING = 64  # photos int8 learns its ranges from, at most a quarter; 32 to 250 gave the same accuracy
FEWEST = 40  # photos to compare on, below which nothing faster than fp32 is tried
PARTITIONS = 3  # into folds: one alone moves by more than what is allowed
FOLDS = 5
_EVERY = 16

Extractors = Mapping[str, ImageExtractor]


def choose_precisions(
    extractors: Extractors,
    open_reader: Callable[[Extractors], PhotoReader],
    labelled: LabelledSet,
    groups: NDArray[np.int64],
    wanted: str,
    seed: int,
    progress: Progress,
) -> tuple[PhotoReader, dict[str, Any]]:
    """A reader whose pretrained networks compute in the precision they will serve in, and why, by extractor.

    ``extractors`` are of fp32. ``wanted`` is ``auto`` or the name of a precision, which is then taken as it is.
    ``groups`` keep listings of the same photo in one fold. Of each network: ``precision``, ``reason``, the held-out
    ``accuracies`` of those tried, the number of ``photos`` they were judged on, and the ``weights_sha256`` of its file.
    """
    networks = {name: each for name, each in extractors.items() if isinstance(each, PretrainedNetwork)}
    forced = None if wanted == AUTOMATIC else parse_precision(wanted)
    if not networks or forced is Precision.FP32:
        return open_reader(extractors), {name: _asked(each, Precision.FP32) for name, each in networks.items()}
    evidences = [example.evidence for example in labelled.examples]
    if forced is not None:
        taken = with_precision(forced, extractors, evidences, seed)
        return open_reader(taken), {n: _asked(cast(PretrainedNetwork, taken[n]), forced) for n in networks}
    calibrating, judged = _drawn(evidences, seed)
    gate = _Gate(labelled, groups, evidences, judged, seed, progress)
    if not gate.can_judge:
        reason = f"{len(judged)} photos are too few to compare precisions on"
        found = {name: _record(each, Precision.FP32, reason, {}, len(judged)) for name, each in networks.items()}
        return open_reader(extractors), found
    gate.judge(Precision.FP32, networks, PhotoReader(_plainly(networks)))
    progress(0.0, f"quantising {', '.join(networks)}")
    reader, problem = open_reader(extractors), ""
    try:
        photos = _photos(evidences, calibrating)
        quantised = {name: _at(each, Precision.INT8, photos) for name, each in networks.items()}
    except (Unavailable, InvalidInput) as error:
        problem = str(error)
    else:
        # What this reader sees of the photos need not be seen again, should all its networks be taken.
        reader = open_reader({**extractors, **_plainly(quantised)})
        gate.judge(Precision.INT8, quantised, reader)
    slower = {name: each for name, each in networks.items() if gate.taken(name) is Precision.FP32}
    if slower and computes_bf16():
        halved = {name: _at(each, Precision.BF16, []) for name, each in slower.items()}
        gate.judge(Precision.BF16, halved, PhotoReader(_plainly(halved)))
    elif slower:
        problem = "; ".join(each for each in (problem, "this processor has no bf16 of its own") if each)
    if slower:
        reader = open_reader({**extractors, **_plainly(gate.networks())})
    return reader, gate.records(problem)


def with_precision(
    wanted: Precision, extractors: Extractors, evidences: Sequence[Evidence], seed: int
) -> dict[str, ImageExtractor]:
    """The extractors, their networks in the precision wanted; int8 learns its ranges from some of the photos."""
    networks = {name: each for name, each in extractors.items() if isinstance(each, PretrainedNetwork)}
    if not networks or wanted is Precision.FP32:
        return dict(extractors)
    photos = _photos(evidences, _drawn(evidences, seed)[0])
    return {**extractors, **_plainly({name: _at(each, wanted, photos) for name, each in networks.items()})}


def fastest_allowed(accuracies: Mapping[Precision, float]) -> tuple[Precision, str]:
    """The fastest precision whose held-out accuracy is within ALLOWED of fp32's, and the reason in plain words."""
    exact = accuracies[Precision.FP32]
    said = []
    for faster in (Precision.INT8, Precision.BF16):
        if faster not in accuracies:
            continue
        points = 100 * (accuracies[faster] - exact)
        if accuracies[faster] >= exact - ALLOWED:
            said.append(f"{faster} is {points:+.2f} points of accuracy from fp32, within {100 * ALLOWED:.1f}")
            return faster, "; ".join(said)
        said.append(f"{faster} loses {-points:.2f} points of accuracy, more than {100 * ALLOWED:.1f}")
    return Precision.FP32, "; ".join(said)


class _Gate:
    """Held-out accuracies of estimators, each on the vectors of one network alone, on photos no range came from."""

    def __init__(
        self,
        labelled: LabelledSet,
        groups: NDArray[np.int64],
        evidences: Sequence[Evidence],
        judged: NDArray[np.int64],
        seed: int,
        progress: Progress,
    ) -> None:
        self._kinds = len(labelled.categories)
        self._labels = labelled.labels
        self._evidences = evidences
        self._judged = judged
        self._progress = progress
        self._seed = seed
        self._partitions = [assign_folds(labelled.names, groups, FOLDS, seed + each) for each in range(PARTITIONS)]
        self._tried: dict[str, dict[Precision, tuple[PretrainedNetwork, float]]] = {}

    @property
    def can_judge(self) -> bool:
        return len(self._judged) >= FEWEST and len(np.unique(self._labels[self._judged])) > 1

    def judge(self, at: Precision, networks: Mapping[str, PretrainedNetwork], reader: PhotoReader) -> None:
        """Look at the photos with the reader, which holds the networks."""
        rows: dict[str, list[Floats]] = {name: [] for name in networks}
        kept = []
        seen = reader.read_all([self._evidences[index] for index in self._judged])
        for count, (index, reading) in enumerate(zip(self._judged, seen, strict=True)):
            if count % _EVERY == 0:
                self._progress(0.0, f"comparing precisions: {at} ({count} of {len(self._judged)} photos)")
            described = reading.described
            if described is not None:
                kept.append(index)
                for name, found in rows.items():
                    found.append(feature_vector(reader.extractors[name], described[name]))
        for name, found in rows.items():
            accuracy = self._accuracy(name, np.stack(found), np.array(kept))
            self._tried.setdefault(name, {})[at] = networks[name], accuracy

    def taken(self, name: str) -> Precision:
        return fastest_allowed(self._accuracies(name))[0]

    def networks(self) -> dict[str, PretrainedNetwork]:
        return {name: tried[self.taken(name)][0] for name, tried in self._tried.items()}

    def records(self, problem: str) -> dict[str, Any]:
        found = {}
        for name, network in self.networks().items():
            accuracies = self._accuracies(name)
            taken, reason = fastest_allowed(accuracies)
            said = "; ".join(each for each in (problem, reason) if each)
            rounded = {at.value: round(accuracy, 5) for at, accuracy in accuracies.items()}
            found[name] = _record(network, taken, said, rounded, len(self._judged))
        return found

    def _accuracies(self, name: str) -> dict[Precision, float]:
        return {at: accuracy for at, (_, accuracy) in self._tried[name].items()}

    def _accuracy(self, name: str, vectors: Floats, kept: NDArray[np.int64]) -> float:
        labels = self._labels[kept]
        join = fit_join({name: vectors}, labels, self._kinds, self._partitions[0][kept], self._seed)
        joined = join({name: vectors})
        right = [
            fit_ridge(joined, labels, self._kinds, folds[kept], IMAGE_PENALTIES).held_out.argmax(axis=1) == labels
            for folds in self._partitions
        ]
        return float(np.mean(right))


def _drawn(evidences: Sequence[Evidence], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of listings with a photo: those int8 learns its ranges from, and those precisions are compared on."""
    having = np.array([index for index, evidence in enumerate(evidences) if evidence.photo is not None], np.int64)
    drawn = np.random.default_rng(seed).permutation(having)[:MOST]
    calibrating = drawn[: min(CALIBRATING, len(drawn) // 4)]
    seen = {evidences[index].photo for index in calibrating}
    judged = [index for index in drawn[len(calibrating) :] if evidences[index].photo not in seen]
    return calibrating, np.array(judged, np.int64)


def _photos(evidences: Sequence[Evidence], chosen: NDArray[np.int64]) -> list[Photo]:
    photos = []
    for index in chosen:
        with suppress(BadImage):
            photos.append(decode_photo(evidences[index].photo or b""))
    return photos


def _at(network: PretrainedNetwork, at: Precision, photos: Sequence[Photo]) -> PretrainedNetwork:
    other: PretrainedNetwork = type(network)(**network.get_params())
    return other.set_params(precision=at.value).fit(photos)


def _plainly(networks: Mapping[str, PretrainedNetwork]) -> Extractors:
    return cast(Extractors, networks)


def _asked(network: PretrainedNetwork, taken: Precision) -> dict[str, Any]:
    return _record(network, taken, "it was asked for", {}, 0)


def _record(
    network: PretrainedNetwork, taken: Precision, reason: str, accuracies: Mapping[str, float], photos: int
) -> dict[str, Any]:
    return {
        "precision": taken.value,
        "reason": reason,
        "accuracies": dict(accuracies),
        "photos": photos,
        "weights_sha256": network.weights_sha256_,
    }
