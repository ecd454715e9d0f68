"""Choose the precision in which networks serve: int8 where held-out photos show that it costs no accuracy.

It is chosen before anything else is fitted, so that estimators, calibration, thresholds and every held-out figure are
made from the same vectors as in serving.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.estimators import IMAGE_PENALTIES, fit_ridge
from pipeline.classification.grouped_folds import assign_folds
from pipeline.classification.nystroem import fit_join
from pipeline.classification.photo_reader import PhotoReader, feature_vector
from pipeline.classification.targets import LabelledSet, Targets
from pipeline.domain.errors import BadImage, InvalidInput, Unavailable
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import Progress
from pipeline.domain.training import AUTOMATIC_PRECISION, TrainingOptions
from pipeline.features.extractor import Floats, ImageExtractor, Photo
from pipeline.features.photo_decoding import decode_photo
from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.engine import computes_bf16
from pipeline.networks.precision import Precision, parse_precision

ALLOWED_LOSS = 0.005  # of held-out accuracy, against fp32
MAX_PHOTOS = 1_000  # to compare on: more would not measure half a point any better
CALIBRATION_PHOTOS = 64  # that int8 learns its ranges from, at most a quarter; 32 to 250 gave the same accuracy
MIN_PHOTOS = 40  # to compare on, below which nothing faster than fp32 is tried
PARTITIONS = 3  # into folds: one alone moves by more than what is allowed
FOLDS = 5
_PROGRESS_INTERVAL = 16

ImageExtractors = Mapping[str, ImageExtractor]


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """The precision of one network and the reason, as manifests store it.

    ``accuracies`` are those of the precisions that were compared on ``photos`` photos, None where none was.
    ``weights_sha256`` is the digest of the network's weights file.
    """

    precision: Precision
    reason: str
    accuracies: Mapping[Precision, float] | None = None
    photos: int = 0
    weights_sha256: str | None = None

    def as_json(self) -> JsonObject:
        """As manifests store it, accuracies to five digits."""
        record: JsonObject = {"precision": self.precision.value, "reason": self.reason}
        if self.accuracies is None:
            return record
        accuracies = {each.value: round(accuracy, 5) for each, accuracy in self.accuracies.items()}
        return record | {"accuracies": accuracies, "photos": self.photos, "weights_sha256": self.weights_sha256}


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """A reader whose networks compute in the precision they will serve in, and a record of each by extractor."""

    reader: PhotoReader
    networks: Mapping[str, NetworkRecord]


class PrecisionVerdict(NamedTuple):
    """A precision and the reason for it."""

    precision: Precision
    reason: str


class PhotoDraw(NamedTuple):
    """Indices of listings with a photo: those int8 learns its ranges from, and those precisions are compared on."""

    calibration: NDArray[np.int64]
    comparison: NDArray[np.int64]


def choose_precisions(
    extractors: ImageExtractors,
    labelled: LabelledSet,
    groups: NDArray[np.int64],
    options: TrainingOptions,
    open_reader: Callable[[ImageExtractors], PhotoReader],
    progress: Progress,
) -> PrecisionChoice:
    """Choose the precision of each pretrained network; a precision that the options name is used as it is.

    ``extractors`` are of fp32. ``groups`` (n,) keep listings with the same photo in one fold.
    """
    networks = _networks(extractors)
    wanted = None if options.network_precision == AUTOMATIC_PRECISION else parse_precision(options.network_precision)
    if not networks or wanted is Precision.FP32:
        records = {name: _requested_precision(network, Precision.FP32) for name, network in networks.items()}
        return PrecisionChoice(open_reader(extractors), records)
    evidences = [example.evidence for example in labelled.examples]
    if wanted is not None:
        chosen = with_precision(wanted, extractors, evidences, options.seed)
        records = {name: _requested_precision(network, wanted) for name, network in _networks(chosen).items()}
        return PrecisionChoice(open_reader(chosen), records)
    draw = draw_photos(evidences, options.seed)
    comparison = _Comparison(labelled, groups, draw.comparison, options.seed, progress)
    if not comparison.possible:
        reason = f"{len(draw.comparison)} photos are too few to compare precisions on"
        records = {
            name: NetworkRecord(Precision.FP32, reason, {}, len(draw.comparison), network.weights_sha256_)
            for name, network in networks.items()
        }
        return PrecisionChoice(open_reader(extractors), records)
    return _compare(comparison, extractors, _photos(evidences, draw.calibration), open_reader, progress)


def _compare(
    comparison: _Comparison,
    extractors: ImageExtractors,
    calibration: Sequence[Photo],
    open_reader: Callable[[ImageExtractors], PhotoReader],
    progress: Progress,
) -> PrecisionChoice:
    """Measure fp32, int8 and, where int8 is not precise enough, bf16."""
    networks = _networks(extractors)
    comparison.measure(Precision.FP32, networks, PhotoReader(_as_extractors(networks)))
    progress(0.0, f"quantising {', '.join(networks)}")
    reader, problems = open_reader(extractors), []
    try:
        quantised = {name: _at(network, Precision.INT8, calibration) for name, network in networks.items()}
    except (Unavailable, InvalidInput) as error:
        problems.append(str(error))
    else:
        # The reader caches what it describes here, in case all of its networks are used.
        reader = open_reader({**extractors, **_as_extractors(quantised)})
        comparison.measure(Precision.INT8, quantised, reader)
    slower = {
        name: network for name, network in networks.items() if comparison.verdict(name).precision is Precision.FP32
    }
    if slower and computes_bf16():
        halved = {name: _at(network, Precision.BF16, []) for name, network in slower.items()}
        comparison.measure(Precision.BF16, halved, PhotoReader(_as_extractors(halved)))
    elif slower:
        problems.append("this processor has no bf16 of its own")
    if slower:
        reader = open_reader({**extractors, **_as_extractors(comparison.chosen())})
    return PrecisionChoice(reader, comparison.records(problems))


def with_precision(
    wanted: Precision, extractors: ImageExtractors, evidences: Sequence[Evidence], seed: int
) -> dict[str, ImageExtractor]:
    """The extractors, their networks in the precision wanted; int8 learns its ranges from some of the photos."""
    networks = _networks(extractors)
    if not networks or wanted is Precision.FP32:
        return dict(extractors)
    photos = _photos(evidences, draw_photos(evidences, seed).calibration)
    return {**extractors, **_as_extractors({name: _at(each, wanted, photos) for name, each in networks.items()})}


def fastest_allowed(accuracies: Mapping[Precision, float]) -> PrecisionVerdict:
    """The fastest precision whose held-out accuracy is within ALLOWED_LOSS of fp32's."""
    exact = accuracies[Precision.FP32]
    reasons = []
    for faster in (Precision.INT8, Precision.BF16):
        if faster not in accuracies:
            continue
        points = 100 * (accuracies[faster] - exact)
        if accuracies[faster] >= exact - ALLOWED_LOSS:
            reasons.append(f"{faster} is {points:+.2f} points of accuracy from fp32, within {100 * ALLOWED_LOSS:.1f}")
            return PrecisionVerdict(faster, "; ".join(reasons))
        reasons.append(f"{faster} loses {-points:.2f} points of accuracy, more than {100 * ALLOWED_LOSS:.1f}")
    return PrecisionVerdict(Precision.FP32, "; ".join(reasons))


def draw_photos(evidences: Sequence[Evidence], seed: int) -> PhotoDraw:
    """Draw the listings to calibrate int8 on and those to compare on; no photo is among both."""
    having = np.array([index for index, evidence in enumerate(evidences) if evidence.photo is not None], np.int64)
    drawn = np.random.default_rng(seed).permutation(having)[:MAX_PHOTOS]
    calibration = drawn[: min(CALIBRATION_PHOTOS, len(drawn) // 4)]
    learned = {evidences[index].photo for index in calibration}
    comparison = [index for index in drawn if evidences[index].photo not in learned]
    return PhotoDraw(calibration, np.array(comparison, np.int64))


class _MeasuredNetwork(NamedTuple):
    network: PretrainedNetwork
    accuracy: float


class _Comparison:
    """Held-out accuracies of estimators on the vectors of one network alone, by precision.

    The ``photos`` are indices of listings that no range of int8 was learned from.
    """

    def __init__(
        self,
        labelled: LabelledSet,
        groups: NDArray[np.int64],
        photos: NDArray[np.int64],
        seed: int,
        progress: Progress,
    ) -> None:
        self._n_categories = len(labelled.categories)
        self._labels = labelled.labels
        self._examples = labelled.examples
        self._photos = photos
        self._progress = progress
        self._seed = seed
        self._partitions = [assign_folds(labelled.names, groups, FOLDS, seed + each) for each in range(PARTITIONS)]
        self._tried: dict[str, dict[Precision, _MeasuredNetwork]] = {}

    @property
    def possible(self) -> bool:
        return len(self._photos) >= MIN_PHOTOS and len(np.unique(self._labels[self._photos])) > 1

    def measure(self, at: Precision, networks: Mapping[str, PretrainedNetwork], reader: PhotoReader) -> None:
        """Describe the photos with the reader, which holds the networks, and keep their accuracies."""
        vectors: dict[str, list[Floats]] = {name: [] for name in networks}
        readable = []
        listings = reader.describe_all([self._examples[index].evidence for index in self._photos])
        for count, (index, listing) in enumerate(zip(self._photos, listings, strict=True)):
            if count % _PROGRESS_INTERVAL == 0:
                self._progress(0.0, f"comparing precisions: {at} ({count} of {len(self._photos)} photos)")
            if listing.descriptors is not None:
                readable.append(index)
                for name, rows in vectors.items():
                    rows.append(feature_vector(reader.extractors[name], listing.descriptors[name]))
        for name, rows in vectors.items():
            accuracy = self._accuracy(name, np.stack(rows), np.array(readable))
            self._tried.setdefault(name, {})[at] = _MeasuredNetwork(networks[name], accuracy)

    def verdict(self, name: str) -> PrecisionVerdict:
        return fastest_allowed({at: tried.accuracy for at, tried in self._tried[name].items()})

    def chosen(self) -> dict[str, PretrainedNetwork]:
        return {name: tried[self.verdict(name).precision].network for name, tried in self._tried.items()}

    def records(self, problems: Sequence[str]) -> dict[str, NetworkRecord]:
        records = {}
        for name, network in self.chosen().items():
            verdict = self.verdict(name)
            reason = "; ".join(each for each in (*problems, verdict.reason) if each)
            accuracies = {at: tried.accuracy for at, tried in self._tried[name].items()}
            records[name] = NetworkRecord(
                verdict.precision, reason, accuracies, len(self._photos), network.weights_sha256_
            )
        return records

    def _accuracy(self, name: str, vectors: Floats, readable: NDArray[np.int64]) -> float:
        labels = self._labels[readable]
        partitions = [Targets(labels, self._n_categories, folds[readable]) for folds in self._partitions]
        joined = fit_join({name: vectors}, partitions[0], self._seed)({name: vectors})
        right = [
            fit_ridge(joined, targets, IMAGE_PENALTIES).held_out.argmax(axis=1) == labels for targets in partitions
        ]
        return float(np.mean(right))


def _networks(extractors: ImageExtractors) -> dict[str, PretrainedNetwork]:
    return {name: each for name, each in extractors.items() if isinstance(each, PretrainedNetwork)}


def _photos(evidences: Sequence[Evidence], chosen: NDArray[np.int64]) -> list[Photo]:
    photos = []
    for index in chosen:
        with suppress(BadImage):
            photos.append(decode_photo(evidences[index].photo or b""))
    return photos


def _at(network: PretrainedNetwork, precision: Precision, photos: Sequence[Photo]) -> PretrainedNetwork:
    other: PretrainedNetwork = type(network)(**network.get_params())
    return other.set_params(precision=precision.value).fit(photos)


def _as_extractors(networks: Mapping[str, PretrainedNetwork]) -> ImageExtractors:
    return cast(ImageExtractors, networks)


def _requested_precision(network: PretrainedNetwork, precision: Precision) -> NetworkRecord:
    return NetworkRecord(precision, "it was asked for", {}, 0, network.weights_sha256_)
