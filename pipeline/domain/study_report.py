"""The report of a study as it is stored in ``report.json``: trials, supervised figures, label issues, and the verdict.

Where a field has another name in the file, ``StoredAs`` gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pipeline.domain.json_record import JsonObject, JsonRecord, StoredAs
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason, coded_reason
from pipeline.domain.study import ClusteringMethod, Feasibility, PastStudy, Spread, StudyProtocol, TrialStatus

FORMAT = 1


class ReasonedRecord(JsonRecord):
    """A record with a ``reason``, stored as its English sentence and, where it has a code, as ``coded_reason``."""

    __slots__ = ()
    reason: Reason | None

    def as_json(self) -> JsonObject:
        """The JSON object."""
        coded = coded_reason(self.reason)
        text = None if self.reason is None else str(self.reason)
        return super().as_json() | {"reason": text} | ({"coded_reason": coded} if coded else {})

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """The record of a JSON object, which may have the sentence only."""
        text = given.get("reason")
        reason = Reason.stored(given.get("coded_reason"), text).as_json() if text else None
        return super().from_json({**given, "reason": reason})


@dataclass(frozen=True, slots=True)
class Trial(ReasonedRecord):
    """One extractor, or a combination of two, clustered by k-means under one protocol and compared with the categories.

    ``accuracy`` is that of the clusters after optimal assignment to categories. ``n`` listings were clustered, of
    ``dimensions`` numbers each; ``reused`` vectors were taken from an earlier study. ``memory`` is in bytes.
    """

    extractor: str
    modality: Modality
    protocol: StudyProtocol
    method: ClusteringMethod
    ari: Spread | None
    ami: float | None
    v_measure: float | None
    silhouette: float | None
    accuracy: float | None
    n: int | None
    dimensions: int | None
    seconds: float | None
    memory: int | None
    reused: int | None
    status: TrialStatus
    reason: Reason | None

    @classmethod
    def without_figures(
        cls, extractor: str, modality: Modality, status: TrialStatus, reason: Reason
    ) -> tuple[Self, ...]:
        """The trials, one a protocol, of an extractor that could not be tried, with the reason."""
        return tuple(
            cls(
                extractor,
                modality,
                protocol,
                ClusteringMethod.KMEANS,
                *(None,) * 9,
                reused=0,
                status=status,
                reason=reason,
            )
            for protocol in StudyProtocol
        )

    @property
    def mean_ari(self) -> float:
        """The mean ARI over the seeds; below any other where the trial has none."""
        return -2.0 if self.ari is None else self.ari.mean


@dataclass(frozen=True, slots=True)
class TrialMap(JsonRecord):
    """A t-SNE map: its ``seed``, the ``rows`` of the listings on it, their ``points`` (x, y), and ``clusters``.

    Clusters are given as the index of the category that the optimal assignment gives them.
    """

    seed: int
    rows: tuple[int, ...]
    points: tuple[tuple[float, ...], ...]
    clusters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConfusionMatrix(JsonRecord):
    """Listings by category (rows) and by the category of their cluster (columns), and the recall of each category."""

    matrix: tuple[tuple[int, ...], ...]
    recall: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ClusteringResult(ReasonedRecord):
    """One clustering method on the features of one extractor under one protocol.

    ``clusters`` and ``noise`` (the share of listings in no cluster, HDBSCAN only) are means over the seeds; ``n`` of
    ``total`` listings were clustered.
    """

    extractor: str
    modality: Modality
    protocol: StudyProtocol
    method: ClusteringMethod
    ari: Spread | None = None
    clusters: float | None = None
    noise: float | None = None
    n: int | None = None
    total: Annotated[int | None, StoredAs("of")] = None
    seconds: float | None = None
    status: TrialStatus = TrialStatus.FAILED
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class SupervisedFigures(ReasonedRecord):
    """Cross-validated figures of an estimator; ``evidence`` names what it saw: name, description, attributes, photo."""

    extractor: str
    modality: Modality
    evidence: tuple[str, ...]
    accuracy: Spread | None
    macro_f1: Spread | None
    n: int | None
    folds: int
    repeats: int
    seconds: float
    status: TrialStatus
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class LearningCurvePoint(JsonRecord):
    """The accuracy of one modality with ``per_category`` labelled listings in each category."""

    modality: Modality
    per_category: int
    accuracy: Spread


@dataclass(frozen=True, slots=True)
class LevelFigures(JsonRecord):
    """A level of the taxonomy: its number of categories, and the ARI of each modality's best map at that level.

    ``enough`` is the share of listings whose category is large enough to learn; ``studied`` marks the study's level.
    """

    level: int
    categories: int
    enough: float
    studied: bool
    ari: Mapping[Modality, float | None]


@dataclass(frozen=True, slots=True)
class PairExample(JsonRecord):
    """A listing of one category of a pair that is clustered with the other."""

    row: int
    given: str
    clustered_as: Annotated[str, StoredAs("said")]


@dataclass(frozen=True, slots=True)
class HardPair(JsonRecord):
    """Two categories that an extractor's clusters confuse: how many listings, and their share of those of both."""

    extractor: str
    a: str
    b: str
    confused: int
    share: float | None
    examples: tuple[PairExample, ...]


@dataclass(frozen=True, slots=True)
class Neighbour(JsonRecord):
    """A listing near another one, by the cosine of their features."""

    row: int
    category: str
    similarity: float


@dataclass(frozen=True, slots=True)
class LabelIssue(JsonRecord):
    """A listing whose category is probably wrong, by held-out probabilities; ``score`` grows with the suspicion."""

    row: int
    given: str
    proposed: str
    confidence: float
    given_confidence: float
    score: float | None
    neighbours: tuple[Neighbour, ...]
    attribution: str | None = None


@dataclass(frozen=True, slots=True)
class StudiedListing(JsonRecord):
    """A listing of the study; ``category`` and ``attribution`` are indices into those of the report."""

    key: str
    listing_id: int | None
    name: str
    category: int
    attribution: int | None = None


@dataclass(frozen=True, slots=True)
class FeasibilityThresholds(JsonRecord):
    """The adjusted Rand index (protocol B) and the accuracy from which a catalogue counts as feasible, or promising."""

    ari_feasible: float = 0.5
    ari_promising: float = 0.25
    accuracy_feasible: float = 0.85
    accuracy_promising: float = 0.7


@dataclass(frozen=True, slots=True)
class BestTrial(JsonRecord):
    """The best extractor of a modality under protocol B."""

    extractor: str
    ari: float
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class BestEstimator(JsonRecord):
    """The estimator with the highest cross-validated accuracy."""

    extractor: str
    modality: Modality
    accuracy: float


@dataclass(frozen=True, slots=True)
class FeasibilityAssessment:
    """The figures behind the verdict; stored as a list of objects with a ``code``."""

    best: Mapping[Modality, BestTrial] = field(default_factory=dict)
    estimator: BestEstimator | None = None
    thresholds: FeasibilityThresholds = FeasibilityThresholds()

    @classmethod
    def of(
        cls,
        trials: Iterable[Trial],
        supervised: Iterable[SupervisedFigures],
        thresholds: FeasibilityThresholds = FeasibilityThresholds(),
    ) -> Self:
        """The best trials and the best estimator, the first one of equals."""
        best = {
            modality: BestTrial(trial.extractor, trial.ari.mean, trial.accuracy)
            for modality, trial in best_trials(trials).items()
            if trial.ari is not None
        }
        trained = [
            BestEstimator(each.extractor, each.modality, each.accuracy.mean)
            for each in supervised
            if each.accuracy is not None
        ]
        return cls(best, max(trained, key=lambda each: each.accuracy, default=None), thresholds)

    @property
    def verdict(self) -> Feasibility:
        """Feasible, promising or not.

        A trained model says more than clusters do: where there is one, ``feasible`` needs its accuracy, and clusters
        that agree with the categories make at least ``promising``. Otherwise the ARI decides.
        """
        ari = max((each.ari for each in self.best.values()), default=-1.0)
        if self.estimator is None:
            feasible, promising = ari >= self.thresholds.ari_feasible, ari >= self.thresholds.ari_promising
        else:
            accuracy = self.estimator.accuracy
            feasible = accuracy >= self.thresholds.accuracy_feasible
            promising = accuracy >= self.thresholds.accuracy_promising or ari >= self.thresholds.ari_feasible
        if feasible:
            return Feasibility.FEASIBLE
        return Feasibility.PROMISING if promising else Feasibility.NOT_FEASIBLE

    @property
    def has_weak_estimator(self) -> bool:
        """Whether the best estimator is right too rarely to be promising: most label issues are then its own errors."""
        return self.estimator is not None and self.estimator.accuracy < self.thresholds.accuracy_promising

    def best_ari(self) -> dict[Modality, float | None]:
        """The best mean ARI of each modality."""
        return {modality: None if modality not in self.best else self.best[modality].ari for modality in Modality}

    def as_json(self) -> list[dict[str, Any]]:
        """The list that the report stores."""
        found = [{"code": f"best_{modality}"} | best.as_json() for modality, best in self.best.items()]
        if self.estimator is not None:
            found.append({"code": "supervised"} | self.estimator.as_json())
        return [*found, {"code": "threshold"} | self.thresholds.as_json()]

    @classmethod
    def from_json(cls, given: Iterable[Mapping[str, Any]]) -> Self:
        """The assessment of a stored list."""
        by_code = {each["code"]: each for each in given}
        best = {m: BestTrial.from_json(by_code[f"best_{m}"]) for m in Modality if f"best_{m}" in by_code}
        estimator = BestEstimator.from_json(by_code["supervised"]) if "supervised" in by_code else None
        return cls(best, estimator, FeasibilityThresholds.from_json(by_code.get("threshold", {})))


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport(JsonRecord):
    """The whole report. ``counts`` are the listings of each of the ``categories``; ``rows`` are the studied listings.

    Maps and matrices are those of protocol B by extractor. ``listings`` counts all labelled listings, ``studied`` those
    of the sample. ``created_at`` is an ISO date and time. ``trend`` are the earlier studies, oldest first. Reports of
    earlier programs lack the fields with a default.
    """

    format: int = FORMAT
    subject: str
    study_id: int | None
    created_at: str
    level: int
    levels: tuple[LevelFigures, ...] = ()
    categories: tuple[str, ...]
    counts: tuple[int, ...]
    listings: int
    studied: int
    without_photo: int
    without_text: int
    fingerprint: str
    seeds: tuple[int, ...]
    perplexity: float
    libraries: Mapping[str, str]
    seconds: float
    verdict: Feasibility
    assessment: Annotated[FeasibilityAssessment, StoredAs("findings")]
    trials: tuple[Trial, ...]
    maps: Annotated[Mapping[str, TrialMap], StoredAs("pictures")]
    matrices: Mapping[str, ConfusionMatrix]
    hardest_pairs: tuple[HardPair, ...]
    clusterings: tuple[ClusteringResult, ...] = ()
    supervised: tuple[SupervisedFigures, ...]
    learning_curve: tuple[LearningCurvePoint, ...]
    label_issues: Annotated[tuple[LabelIssue, ...], StoredAs("wrong_shelves")]
    attributions: tuple[str, ...] = ()
    rows: tuple[StudiedListing, ...]
    trend: tuple[PastStudy, ...]

    def attribution_of(self, row: int) -> str | None:
        """The attribution to show beside a listing, if any."""
        index = self.rows[row].attribution
        return None if index is None else self.attributions[index]


def best_trials(trials: Iterable[Trial]) -> dict[Modality, Trial]:
    """The trial of each modality with the highest mean ARI under protocol B; the first one of equals."""
    done = [each for each in trials if each.protocol is StudyProtocol.B and each.status is TrialStatus.DONE]
    by_modality = {modality: [each for each in done if each.modality is modality] for modality in Modality}
    return {m: max(each, key=lambda trial: trial.mean_ari) for m, each in by_modality.items() if each}


@dataclass(frozen=True, slots=True)
class NearbyListing(JsonRecord):
    """A listing near one with a label issue, as the file of label issues has it."""

    listing_id: int | None
    key: str
    name: str
    category: str
    similarity: float


@dataclass(frozen=True, slots=True)
class LabelIssueEntry(JsonRecord):
    """A label issue with the listings it is about, as the file of label issues has it."""

    rank: int
    listing_id: int | None
    key: str
    name: str
    given: str
    proposed: str
    confidence: float
    given_confidence: float
    score: float | None
    attribution: str | None
    neighbours: tuple[NearbyListing, ...]


def label_issue_entries(report: StudyReport) -> list[LabelIssueEntry]:
    """The report's label issues, most suspicious first, for lists of them."""

    def nearby(neighbour: Neighbour) -> NearbyListing:
        listing = report.rows[neighbour.row]
        return NearbyListing(listing.listing_id, listing.key, listing.name, neighbour.category, neighbour.similarity)

    def entry(rank: int, issue: LabelIssue) -> LabelIssueEntry:
        listing = report.rows[issue.row]
        return LabelIssueEntry(
            rank=rank,
            listing_id=listing.listing_id,
            key=listing.key,
            name=listing.name,
            given=issue.given,
            proposed=issue.proposed,
            confidence=issue.confidence,
            given_confidence=issue.given_confidence,
            score=issue.score,
            attribution=issue.attribution,
            neighbours=tuple(map(nearby, issue.neighbours)),
        )

    return [entry(rank, issue) for rank, issue in enumerate(report.label_issues, 1)]
