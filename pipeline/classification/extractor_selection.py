"""Trying sets of photo extractors on the same folds: how often each is right, beside what a photo costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.classification import metrics
from pipeline.classification.cross_validation import CACHE, DISK
from pipeline.classification.evidence_views import EvidenceFeatures, Extractors, View, photo_features
from pipeline.classification.feature_extraction import Progress, extract_photo_features, fit_photo_extractors, silent
from pipeline.classification.grouped_folds import assign_folds, group_listings
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.photo_training import AugmentedFeatures, extract_augmented_features, fit_augmented
from pipeline.classification.targets import Targets, select_labelled
from pipeline.classification.training import FOLDS, make_photo_reader
from pipeline.domain.errors import InvalidInput
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.listing import Evidence, Example
from pipeline.features import extractor as artefacts
from pipeline.features.extractor import ImageExtractor

FASTEST, BEST = "fastest", "best"
TIMED = 24  # photos that the cost is measured on
BUILT_IN = "fisher"


@dataclass(frozen=True, slots=True)
class SetResult:
    """One set of extractors: held-out ``accuracy`` on the photos that could be read, and what it costs.

    ``milliseconds`` are those from the bytes of a photo to its categories, the median of TIMED photos, one at a time;
    ``size`` is that of the image part of the model, in bytes.
    """

    extractors: tuple[str, ...]
    accuracy: metrics.Interval
    n: int
    milliseconds: float
    size: int

    def row(self) -> dict[str, Any]:
        """The same for a manifest."""
        return {**asdict(self), "extractors": list(self.extractors)}


def candidate_sets(available: Sequence[str]) -> list[tuple[str, ...]]:
    """The sets worth trying: the built-in extractor, each network, each with the built-in one, and all together."""
    networks = [name for name in available if extractor_spec(name).takes_weights]
    sets = [(BUILT_IN,), *((name,) for name in networks), *((BUILT_IN, name) for name in networks)]
    return sets if len(networks) < 2 else [*sets, (BUILT_IN, *networks)]


def choose_set(tried: Sequence[SetResult], wish: str) -> SetResult:
    """The fastest, the best, or the best of at most so many milliseconds a photo; InvalidInput for any other wish."""
    best = sorted(tried, key=lambda each: (-each.accuracy["mean"], each.milliseconds))
    if wish == BEST:
        return best[0]
    fastest = min(tried, key=lambda each: each.milliseconds)
    if wish == FASTEST:
        return fastest
    budget = parse_budget(wish)
    within = [each for each in best if each.milliseconds <= budget]
    if not within:
        name = " + ".join(fastest.extractors)
        raise InvalidInput(
            f"no set of photo extractors takes at most {budget:g} ms a photo here; "
            f"the fastest, {name}, takes {fastest.milliseconds:.1f}"
        )
    return within[0]


def parse_budget(wish: str) -> float:
    """The milliseconds that a wish names; InvalidInput when it is no number above 0."""
    try:
        budget = float(wish)
    except ValueError:
        budget = 0.0
    if not 0 < budget < float("inf"):
        raise InvalidInput(f"'{wish}' is no choice: say {FASTEST}, {BEST}, or a number of milliseconds a photo")
    return budget


def compare_sets(
    examples: Sequence[Example],
    sets: Sequence[tuple[str, ...]],
    *,
    level: int | None = None,
    weights: Mapping[str, str] | None = None,
    seed: int = 0,
    views: int = 0,
    folds: int = FOLDS,
    progress: Progress = silent,
) -> list[SetResult]:
    """Cross-validate each set on the same grouped folds; what several sets share is computed once a fold.

    Raises InvalidInput when there are too few photos, Unavailable when an extractor lacks its weights.
    """
    labelled = select_labelled(examples, level)
    kinds, labels = len(labelled.categories), labelled.labels
    grouped = group_listings(labelled.examples, labelled.names, folds)
    assigned = assign_folds(labelled.names, grouped, folds, seed)
    names = list(dict.fromkeys(name for each in sets for name in each))
    reader = make_photo_reader(names, weights, CACHE, DISK)
    evidences = [example.evidence for example in labelled.examples]
    right = {each: np.zeros(len(labels), bool) for each in sets}
    judged = np.zeros(len(labels), bool)
    parts: dict[tuple[str, ...], ModalityModel] = {}
    numbers = np.unique(assigned)
    with threadpool_limits(limits=1):
        for at, fold in enumerate(numbers):

            def part(share: float, note: str, at: int = at) -> None:
                progress((at + share) / len(numbers), f"fold {at + 1} of {len(numbers)}: {note}")

            inside, outside = np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)
            seen, looked, unseen = _looked_at(evidences, inside, outside, reader, seed, views, part)
            judged[outside] = unseen.usable
            own = assign_folds([labelled.names[i] for i in inside], grouped[inside], FOLDS, seed)
            paths = [labelled.examples[i].category for i in inside]
            lesson = Targets.of(paths, labels[inside], kinds, own, labelled.level)
            for number, each in enumerate(sets):
                part(0.6 + 0.4 * number / len(sets), f"learning from {' + '.join(each)}")
                fitted, _ = fit_augmented(
                    {name: seen.extractors[name] for name in each},
                    _only(seen.seen, each),
                    AugmentedFeatures(
                        {name: looked.vectors[name] for name in each if name in looked.vectors}, looked.origin
                    ),
                    lesson,
                    seed,
                    embed=False,
                )
                if fitted[0] is None:
                    raise InvalidInput("too few categories have photos to tell them apart by")
                parts[each] = fitted[0]
                said = fitted[0].probabilities(_only(unseen, each)).argmax(axis=1)
                right[each][outside] = said == labels[outside]
        progress(1.0, "measuring what a photo costs")
        timed = [evidences[int(i)] for i in np.flatnonzero(judged)[:TIMED]]
        return [
            SetResult(
                each,
                metrics.accuracy_interval(right[each][judged], seed),
                int(judged.sum()),
                _milliseconds(part_, timed),
                _size(part_),
            )
            for each, part_ in parts.items()
        ]


@dataclass(frozen=True, slots=True)
class _Learned:
    extractors: Extractors
    seen: EvidenceFeatures


def _looked_at(
    evidences: Sequence[Evidence],
    inside: NDArray[np.int64],
    outside: NDArray[np.int64],
    reader: PhotoReader,
    seed: int,
    views: int,
    progress: Progress,
) -> tuple[_Learned, AugmentedFeatures, EvidenceFeatures]:
    """Extractors fitted on the photos ``inside``, what they see of these and of their views, and of those outside."""
    mine = [evidences[int(i)] for i in inside]
    extractors = fit_photo_extractors(mine, reader, seed, lambda share, note: progress(0.2 * share, note))
    if extractors is None:
        raise InvalidInput("too few listings have a photo that can be read; photo extractors cannot be compared")
    seen = extract_photo_features(extractors, mine, reader, lambda share, note: progress(0.2 + 0.1 * share, note))
    looked = extract_augmented_features(
        extractors, mine, seen, reader, views, seed, lambda share, note: progress(0.3 + 0.25 * share, note)
    )
    others = [evidences[int(i)] for i in outside]
    unseen = extract_photo_features(extractors, others, reader, lambda share, note: progress(0.55 + 0.05 * share, note))
    return _Learned(extractors, seen), looked, unseen


def _only(seen: EvidenceFeatures, names: Sequence[str]) -> EvidenceFeatures:
    whole = seen.vectors[View.WHOLE]
    return EvidenceFeatures({View.WHOLE: {name: whole[name] for name in names if name in whole}}, seen.has)


def _milliseconds(part: ModalityModel, evidences: Sequence[Evidence]) -> float:
    """The median of photos judged one at a time, after one to warm up."""
    reader = PhotoReader(cast(Mapping[str, ImageExtractor], part.extractors))
    spent = []
    for evidence in [*evidences[:1], *evidences]:
        begun = time.perf_counter()
        part.probabilities(photo_features(part.extractors, [reader.read(evidence)]))
        spent.append(time.perf_counter() - begun)
    return round(1000 * float(np.median(spent[1:])), 3)


def _size(part: ModalityModel) -> int:
    files = artefacts.pack_state("part", part.state())
    for name, extractor in part.extractors.items():
        files |= artefacts.pack_state(f"extractor_{name}", extractor.state())
    return sum(len(content) for content in files.values())
