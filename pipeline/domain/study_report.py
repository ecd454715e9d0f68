"""The report of a study as stored in ``report.json``: trials, supervised figures, label issues and the verdict.

``StoredAs`` gives the JSON key of a field where it differs from the field's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pipeline.domain.json_record import JsonObject, JsonRecord, StoredAs
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason, coded_reason
from pipeline.domain.study import ClusteringMethod, Feasibility, PastStudy, Spread, StudyProtocol, TrialStatus

FORMAT_VERSION = 1


class ReasonedRecord(JsonRecord):
    """A record with a ``reason``, stored as its English sentence and, if it has a code, also as ``coded_reason``."""

    __slots__ = ()
    reason: Reason | None

    def as_json(self) -> JsonObject:
        """The JSON object."""
        coded = coded_reason(self.reason)
        text = None if self.reason is None else str(self.reason)
        return super().as_json() | {"reason": text} | ({"coded_reason": coded} if coded else {})

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The record in a JSON object, which may have only the sentence of the reason."""
        text = stored.get("reason")
        reason = Reason.stored(stored.get("coded_reason"), text).as_json() if text else None
        return super().from_json({**stored, "reason": reason})


@dataclass(frozen=True, slots=True)
class Trial(ReasonedRecord):
    """One extractor, or a combination of two, clustered by k-means under one protocol and compared with the categories.

    ``accuracy`` is that of the clusters after their optimal assignment to categories. ``n`` feature vectors of
    ``dimensions`` values were clustered, ``reused`` of them taken from an earlier study. ``memory`` is in bytes.
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
        """The trials, one per protocol, of an extractor that could not be tried, with the reason."""
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
        """The mean ARI over the seeds; -2, which is below any ARI, if the trial has none."""
        return -2.0 if self.ari is None else self.ari.mean


@dataclass(frozen=True, slots=True)
class TrialMap(JsonRecord):
    """A t-SNE map: its ``seed``, the ``rows`` of its listings in the report, their ``points`` (x, y) and ``clusters``.

    A cluster is the index of the category that the optimal assignment gives it.
    """

    seed: int
    rows: tuple[int, ...]
    points: tuple[tuple[float, ...], ...]
    clusters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConfusionMatrix(JsonRecord):
    """Counts of listings by category (rows) and by the category of their cluster (columns); recall by category."""

    matrix: tuple[tuple[int, ...], ...]
    recall: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ClusteringResult(ReasonedRecord):
    """One clustering method on the features of one extractor under one protocol.

    ``clusters`` (their number) and ``noise`` (the share of listings in no cluster, HDBSCAN only) are means over the
    seeds; ``n`` of ``total`` listings were clustered.
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
    """Cross-validated scores of an estimator; ``evidence`` names its inputs: name, description, attributes, photo."""

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
    """The accuracy of one modality when trained on ``per_category`` labelled listings of each category."""

    modality: Modality
    per_category: int
    accuracy: Spread


@dataclass(frozen=True, slots=True)
class LevelFigures(JsonRecord):
    """A level of the taxonomy: its number of categories, and the ARI of the clusters of each modality's best map.

    ``enough`` is the share of listings whose category is large enough to learn; ``studied`` marks the study's level.
    """

    level: int
    categories: int
    enough: float
    studied: bool
    ari: Mapping[Modality, float | None]


@dataclass(frozen=True, slots=True)
class PairExample(JsonRecord):
    """A listing of one category of a pair that was clustered with the other."""

    row: int
    given: str
    clustered_as: Annotated[str, StoredAs("said")]


@dataclass(frozen=True, slots=True)
class HardPair(JsonRecord):
    """Two categories that an extractor's clusters confuse: the number of listings, and their share of both."""

    extractor: str
    a: str
    b: str
    confused: int
    share: float | None
    examples: tuple[PairExample, ...]


@dataclass(frozen=True, slots=True)
class Neighbour(JsonRecord):
    """A listing similar to another one, by the cosine of their features."""

    row: int
    category: str
    similarity: float


@dataclass(frozen=True, slots=True)
class LabelIssue(JsonRecord):
    """A listing whose category is probably wrong by held-out probabilities; a higher ``score`` is more suspicious."""

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
    """A listing of the study; ``category`` and ``attribution`` are indices into the lists of the report."""

    key: str
    listing_id: int | None
    name: str
    category: int
    attribution: int | None = None


@dataclass(frozen=True, slots=True)
class FeasibilityThresholds(JsonRecord):
    """The minimum adjusted Rand index (protocol B) and accuracy of a feasible, and of a promising, catalogue."""

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
    """The scores that decide the verdict; stored as a list of objects with a ``code``."""

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
        """The assessment by the best trials and the best estimator; the first one wins a tie."""
        best = {
            modality: BestTrial(trial.extractor, trial.ari.mean, trial.accuracy)
            for modality, trial in best_trials(trials).items()
            if trial.ari is not None
        }
        trained = [
            BestEstimator(figures.extractor, figures.modality, figures.accuracy.mean)
            for figures in supervised
            if figures.accuracy is not None
        ]
        return cls(best, max(trained, key=lambda estimator: estimator.accuracy, default=None), thresholds)

    @property
    def verdict(self) -> Feasibility:
        """Feasible, promising or not feasible.

        A trained estimator is better evidence than clusters: if there is one, ``feasible`` requires its accuracy, and a
        high ARI makes the verdict at least ``promising``. Otherwise the ARI alone decides.
        """
        ari = max((trial.ari for trial in self.best.values()), default=-1.0)
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
        """Whether the best estimator is too inaccurate to be promising: most label issues are then its own errors."""
        return self.estimator is not None and self.estimator.accuracy < self.thresholds.accuracy_promising

    def best_ari(self) -> dict[Modality, float | None]:
        """The best mean ARI of each modality."""
        return {modality: None if modality not in self.best else self.best[modality].ari for modality in Modality}

    def as_json(self) -> list[dict[str, Any]]:
        """The list that the report stores."""
        entries = [{"code": f"best_{modality}"} | best.as_json() for modality, best in self.best.items()]
        if self.estimator is not None:
            entries.append({"code": "supervised"} | self.estimator.as_json())
        return [*entries, {"code": "threshold"} | self.thresholds.as_json()]

    @classmethod
    def from_json(cls, stored: Iterable[Mapping[str, Any]]) -> Self:
        """The assessment in a stored list."""
        by_code = {entry["code"]: entry for entry in stored}
        best = {m: BestTrial.from_json(by_code[f"best_{m}"]) for m in Modality if f"best_{m}" in by_code}
        estimator = BestEstimator.from_json(by_code["supervised"]) if "supervised" in by_code else None
        return cls(best, estimator, FeasibilityThresholds.from_json(by_code.get("threshold", {})))


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReport(JsonRecord):
    """A complete report. ``counts`` are the numbers of listings by category; ``rows`` are the studied listings.

    ``maps`` and ``matrices`` are those of protocol B, by extractor. ``listings`` counts all labelled listings,
    ``studied`` those of the sample. ``created_at`` is an ISO 8601 date and time. ``trend`` are the earlier studies,
    oldest first. Reports of earlier versions of Rayon lack the fields that have a default.
    """

    format: int = FORMAT_VERSION
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
        """The attribution to show beside a listing, or None."""
        index = self.rows[row].attribution
        return None if index is None else self.attributions[index]


def best_trials(trials: Iterable[Trial]) -> dict[Modality, Trial]:
    """The finished trial of each modality with the highest mean ARI under protocol B; the first one wins a tie."""
    done = [trial for trial in trials if trial.protocol is StudyProtocol.B and trial.status is TrialStatus.DONE]
    by_modality = {modality: [trial for trial in done if trial.modality is modality] for modality in Modality}
    return {
        modality: max(candidates, key=lambda trial: trial.mean_ari)
        for modality, candidates in by_modality.items()
        if candidates
    }


@dataclass(frozen=True, slots=True)
class NearbyListing(JsonRecord):
    """A listing similar to one with a label issue, as stored in the file of label issues."""

    listing_id: int | None
    key: str
    name: str
    category: str
    similarity: float


@dataclass(frozen=True, slots=True)
class LabelIssueEntry(JsonRecord):
    """A label issue with its listing and similar ones, as stored in the file of label issues."""

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
    """The report's label issues with the facts of their listings, most suspicious first."""

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
