"""Choose the precision in which networks serve: int8 if held-out photos show no loss of accuracy.

It is chosen before anything else is fitted, so that estimators, calibration, thresholds and all held-out figures are
based on the same vectors as serving.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.estimators import IMAGE_PENALTIES, fit_ridge
from pipeline.classification.feature_join import fit_join
from pipeline.classification.grouped_folds import assign_folds
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

ALLOWED_LOSS = 0.005  # of held-out accuracy, compared with fp32
MAX_PHOTOS = 1_000  # photos drawn: more would not measure half a point more reliably
CALIBRATION_PHOTOS = 64  # for int8's activation ranges, at most a quarter of all; 32 to 250 gave the same accuracy
MIN_PHOTOS = 40  # to compare precisions on; with fewer, nothing faster than fp32 is tried
PARTITIONS = 3  # divisions into folds, averaged: a single one varies by more than ALLOWED_LOSS
FOLDS = 5
_PROGRESS_INTERVAL = 16

ImageExtractors = Mapping[str, ImageExtractor]


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """The precision of one network and the reason, as manifests store it.

    ``accuracies`` are those of the precisions compared on ``photos`` photos, empty if none were; None for a fine-tuned
    network, of which only precision and reason are stored. ``weights_sha256`` is the digest of the weights file.
    """

    precision: Precision
    reason: str
    accuracies: Mapping[Precision, float] | None = None
    photos: int = 0
    weights_sha256: str | None = None

    def as_json(self) -> JsonObject:
        """As manifests store it, accuracies rounded to five decimals."""
        record: JsonObject = {"precision": self.precision.value, "reason": self.reason}
        if self.accuracies is None:
            return record
        accuracies = {precision.value: round(accuracy, 5) for precision, accuracy in self.accuracies.items()}
        return record | {"accuracies": accuracies, "photos": self.photos, "weights_sha256": self.weights_sha256}


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """A reader whose networks compute in the precision they will serve in, and one record per network, by extractor."""

    reader: PhotoReader
    networks: Mapping[str, NetworkRecord]


class PrecisionVerdict(NamedTuple):
    """A precision and the reason for it."""

    precision: Precision
    reason: str


class PhotoDraw(NamedTuple):
    """Indices of listings with a photo: those that int8 is calibrated on, and those that precisions are compared on."""

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
    """Choose the precision of each pretrained network; a precision named by the options is used without comparison.

    ``extractors`` compute in fp32. ``groups`` (n,) keep listings with the same photo in one fold.
    """
    networks = _networks(extractors)
    requested_precision = (
        None if options.network_precision == AUTOMATIC_PRECISION else parse_precision(options.network_precision)
    )
    if not networks or requested_precision is Precision.FP32:
        records = {name: _requested_precision(network, Precision.FP32) for name, network in networks.items()}
        return PrecisionChoice(open_reader(extractors), records)
    evidences = [example.evidence for example in labelled.examples]
    if requested_precision is not None:
        converted = with_precision(requested_precision, extractors, evidences, options.seed)
        records = {
            name: _requested_precision(network, requested_precision) for name, network in _networks(converted).items()
        }
        return PrecisionChoice(open_reader(converted), records)
    photo_draw = draw_photos(evidences, options.seed)
    comparison = _Comparison(labelled, groups, photo_draw.comparison, options.seed, progress)
    if not comparison.possible:
        reason = f"{len(photo_draw.comparison)} photos are too few to compare precisions on"
        records = {
            name: NetworkRecord(Precision.FP32, reason, {}, len(photo_draw.comparison), network.weights_sha256_)
            for name, network in networks.items()
        }
        return PrecisionChoice(open_reader(extractors), records)
    return _compare(comparison, extractors, _decode_photos(evidences, photo_draw.calibration), open_reader, progress)


def _compare(
    comparison: _Comparison,
    extractors: ImageExtractors,
    calibration_photos: Sequence[Photo],
    open_reader: Callable[[ImageExtractors], PhotoReader],
    progress: Progress,
) -> PrecisionChoice:
    """Measure fp32, int8 and, for networks that lose too much accuracy in int8, bf16."""
    networks = _networks(extractors)
    comparison.measure(Precision.FP32, networks, PhotoReader(_as_extractors(networks)))
    progress(0.0, f"quantising {', '.join(networks)}")
    reader, failures = open_reader(extractors), []
    try:
        quantised = {name: _convert(network, Precision.INT8, calibration_photos) for name, network in networks.items()}
    except (Unavailable, InvalidInput) as error:
        failures.append(str(error))
    else:
        # The reader caches what it computes here, which is reused if all of its networks are chosen.
        reader = open_reader({**extractors, **_as_extractors(quantised)})
        comparison.measure(Precision.INT8, quantised, reader)
    not_quantised = {
        name: network for name, network in networks.items() if comparison.verdict(name).precision is Precision.FP32
    }
    if not_quantised and computes_bf16():
        in_bf16 = {name: _convert(network, Precision.BF16, []) for name, network in not_quantised.items()}
        comparison.measure(Precision.BF16, in_bf16, PhotoReader(_as_extractors(in_bf16)))
    elif not_quantised:
        failures.append("this processor has no native bf16")
    if not_quantised:
        reader = open_reader({**extractors, **_as_extractors(comparison.chosen())})
    return PrecisionChoice(reader, comparison.records(failures))


def with_precision(
    precision: Precision, extractors: ImageExtractors, evidences: Sequence[Evidence], seed: int
) -> dict[str, ImageExtractor]:
    """The extractors, with their networks in this precision; int8 learns its activation ranges from some photos."""
    networks = _networks(extractors)
    if not networks or precision is Precision.FP32:
        return dict(extractors)
    photos = _decode_photos(evidences, draw_photos(evidences, seed).calibration)
    return {
        **extractors,
        **_as_extractors({name: _convert(network, precision, photos) for name, network in networks.items()}),
    }


def fastest_allowed(accuracies: Mapping[Precision, float]) -> PrecisionVerdict:
    """The fastest precision whose held-out accuracy is within ALLOWED_LOSS of fp32's."""
    fp32_accuracy = accuracies[Precision.FP32]
    reasons = []
    for precision in (Precision.INT8, Precision.BF16):
        if precision not in accuracies:
            continue
        points_gained = 100 * (accuracies[precision] - fp32_accuracy)
        if accuracies[precision] >= fp32_accuracy - ALLOWED_LOSS:
            reasons.append(
                f"{precision} is {points_gained:+.2f} points of accuracy from fp32, within {100 * ALLOWED_LOSS:.1f}"
            )
            return PrecisionVerdict(precision, "; ".join(reasons))
        reasons.append(f"{precision} loses {-points_gained:.2f} points of accuracy, more than {100 * ALLOWED_LOSS:.1f}")
    return PrecisionVerdict(Precision.FP32, "; ".join(reasons))


def draw_photos(evidences: Sequence[Evidence], seed: int) -> PhotoDraw:
    """Draw the listings to calibrate int8 on and those to compare on; no photo is in both."""
    with_photo = np.array([index for index, evidence in enumerate(evidences) if evidence.photo is not None], np.int64)
    sample = np.random.default_rng(seed).permutation(with_photo)[:MAX_PHOTOS]
    calibration = sample[: min(CALIBRATION_PHOTOS, len(sample) // 4)]
    calibration_photos = {evidences[index].photo for index in calibration}
    comparison = [index for index in sample if evidences[index].photo not in calibration_photos]
    return PhotoDraw(calibration, np.array(comparison, np.int64))


class _MeasuredNetwork(NamedTuple):
    network: PretrainedNetwork
    accuracy: float


class _Comparison:
    """Held-out accuracy of an estimator on the vectors of each single network, by precision.

    ``photos`` are indices of listings that int8 was not calibrated on.
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
        self._partitions = [
            assign_folds(labelled.listing_categories, groups, FOLDS, seed + index) for index in range(PARTITIONS)
        ]
        self._measured: dict[str, dict[Precision, _MeasuredNetwork]] = {}

    @property
    def possible(self) -> bool:
        return len(self._photos) >= MIN_PHOTOS and len(np.unique(self._labels[self._photos])) > 1

    def measure(self, precision: Precision, networks: Mapping[str, PretrainedNetwork], reader: PhotoReader) -> None:
        """Describe the photos with the reader, which contains the networks, and record the accuracy of each."""
        vectors: dict[str, list[Floats]] = {name: [] for name in networks}
        readable = []
        listings = reader.describe_all([self._examples[index].evidence for index in self._photos])
        for position, (index, listing) in enumerate(zip(self._photos, listings, strict=True)):
            if position % _PROGRESS_INTERVAL == 0:
                self._progress(0.0, f"comparing precisions: {precision} ({position} of {len(self._photos)} photos)")
            if listing.descriptors is not None:
                readable.append(index)
                for name, rows in vectors.items():
                    rows.append(feature_vector(reader.extractors[name], listing.descriptors[name]))
        for name, rows in vectors.items():
            accuracy = self._accuracy(name, np.stack(rows), np.array(readable))
            self._measured.setdefault(name, {})[precision] = _MeasuredNetwork(networks[name], accuracy)

    def verdict(self, name: str) -> PrecisionVerdict:
        return fastest_allowed({precision: measured.accuracy for precision, measured in self._measured[name].items()})

    def chosen(self) -> dict[str, PretrainedNetwork]:
        return {name: measured[self.verdict(name).precision].network for name, measured in self._measured.items()}

    def records(self, failures: Sequence[str]) -> dict[str, NetworkRecord]:
        records = {}
        for name, network in self.chosen().items():
            verdict = self.verdict(name)
            reason = "; ".join(part for part in (*failures, verdict.reason) if part)
            accuracies = {precision: measured.accuracy for precision, measured in self._measured[name].items()}
            records[name] = NetworkRecord(
                verdict.precision, reason, accuracies, len(self._photos), network.weights_sha256_
            )
        return records

    def _accuracy(self, name: str, vectors: Floats, readable: NDArray[np.int64]) -> float:
        labels = self._labels[readable]
        partitions = [Targets(labels, self._n_categories, folds[readable]) for folds in self._partitions]
        joined = fit_join({name: vectors}, partitions[0], self._seed)({name: vectors})
        correct = [
            fit_ridge(joined, targets, IMAGE_PENALTIES).held_out.argmax(axis=1) == labels for targets in partitions
        ]
        return float(np.mean(correct))


def _networks(extractors: ImageExtractors) -> dict[str, PretrainedNetwork]:
    return {name: extractor for name, extractor in extractors.items() if isinstance(extractor, PretrainedNetwork)}


def _decode_photos(evidences: Sequence[Evidence], indices: NDArray[np.int64]) -> list[Photo]:
    photos = []
    for index in indices:
        with suppress(BadImage):
            photos.append(decode_photo(evidences[index].photo or b""))
    return photos


def _convert(network: PretrainedNetwork, precision: Precision, photos: Sequence[Photo]) -> PretrainedNetwork:
    converted: PretrainedNetwork = type(network)(**network.get_params())
    return converted.set_params(precision=precision.value).fit(photos)


def _as_extractors(networks: Mapping[str, PretrainedNetwork]) -> ImageExtractors:
    return cast(ImageExtractors, networks)


def _requested_precision(network: PretrainedNetwork, precision: Precision) -> NetworkRecord:
    return NetworkRecord(precision, "requested in the options", {}, 0, network.weights_sha256_)
