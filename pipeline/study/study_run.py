"""The course of a study, stage by stage, on listings that no longer change; every result is kept in its folder.

A stage that finds its result in the folder returns it: whoever takes over after a death, or after Ctrl-C, goes on.
What goes wrong inside a trial becomes its rows; only what may pass (TransientFailure) is raised.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.domain import extractors
from pipeline.domain.errors import InvalidInput, RayonError, TransientFailure, Unavailable
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.prediction import Modality
from pipeline.domain.study import WRONG_SHELVES, StudyPlan, TrialStatus, file_type
from pipeline.study import clustering_comparison
from pipeline.study.dataset import StudyDataset
from pipeline.study.features import Features, FeatureStore
from pipeline.study.study_folder import WORK, StudyFolder, to_json
from pipeline.study.study_steps import StudySteps, SupervisedResult

Progress = Callable[[float, str], None]
Row = dict[str, Any]
# The share of a trial's time that its features take, roughly.
FEATURES = 0.5
PAIRS = f"{WORK}pairs.json"


@dataclass(frozen=True, slots=True)
class StudyRun:
    """What the stages work with. ``weights`` gives the local path of an extractor's weights, if there is one.

    ``explain`` puts an unforeseen error into a sentence.
    """

    plan: StudyPlan
    studied: StudyDataset
    folder: StudyFolder
    store: FeatureStore
    weights: Callable[[str], str | None]
    methods: StudySteps
    explain: Callable[[Exception], str]

    def extractors(self) -> tuple[str, ...]:
        """The extractors of the plan, in the order of the table."""
        return chosen_extractors(self.plan)

    def try_extractor(self, name: str, progress: Progress) -> list[Row]:
        """The trials of one extractor: its features once, clustered by both protocols."""
        row = extractor_spec(name)

        def features() -> Features:
            evidences = self.studied.texts if row.modality is Modality.TEXT else self.studied.photos
            return self.methods.compute(name, evidences, self.store, self.weights(name), _within(progress, 0, FEATURES))

        return self._trial(name, row.modality, features, _within(progress, FEATURES, 1))

    def combine(self, progress: Progress) -> list[Row]:
        """The trials of text and image features together, for the pairs that the rule chooses without labels."""
        pairs = list(self.methods.pairs(list(self.features().values())))
        self.folder.write_json(PAIRS, [paired(*pair) for pair in pairs])
        rows: list[Row] = []
        for number, (text, image) in enumerate(pairs):

            def features(text: Features = text, image: Features = image) -> Features:
                return self.methods.combine(text, image)

            share = _within(progress, number / len(pairs), (number + 1) / len(pairs))
            rows += self._trial(paired(text, image), Modality.FUSED, features, share)
        return rows

    def give_up_combining(self) -> str:
        """The name of the trial that stands for all combinations when none could be tried."""
        name = "text+image"
        self.folder.write_json(PAIRS, [name])
        return name

    def comparisons(self) -> list[str]:
        """The features that further ways to cluster are compared on; none when the plan asks for no such way."""
        if not self.plan.clusterings:
            return []
        return clustering_comparison.chosen({name: self._kept_trial(name) for name in self._tried()})

    def compare(self, name: str, progress: Progress) -> str:
        """Further ways to cluster the features of one of ``comparisons``, kept for the report; returns a sentence."""
        rows: list[Row] | None = self.folder.read_json(comparison(name))
        if rows is None:
            rows = self._compare(name, progress)
            self.folder.write_json(comparison(name), rows)
        done = sum(row["status"] == TrialStatus.DONE for row in rows)
        return f"{name}: {done} of {len(rows)} clusterings compared"

    def give_up_comparing(self, name: str, reason: str) -> None:
        """Write down why some features were not compared."""
        self.folder.write_json(comparison(name), self._uncompared(name, reason))

    def jobs(self) -> list[str]:
        """The names of the supervised jobs; none when the plan leaves the supervised figures out."""
        return list(self.methods.jobs(self._done())) if self.plan.repeats else []

    def judge(self, name: str, progress: Progress) -> str:
        """The supervised figures of one job, kept for the report; returns a sentence."""
        judged = self.folder.read_judged(name)
        if judged is None:
            judged = self._judge(name, progress)
            self.folder.write_judged(name, judged)
        return "; ".join(_judged_in_words(row) for row in judged.rows)

    def conclude(
        self,
        subject: str,
        created_at: datetime,
        past: Sequence[Mapping[str, Any]],
        progress: Progress,
        study_id: int | None = None,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """The report, put together of what the folder holds and rendered into it; ``report.json`` is written last."""
        trials = {name: self._kept_trial(name) for name in self._tried()}
        compared = {name: self.folder.read_json(comparison(name)) for name in self.comparisons()}
        judged = {name: found for name in self.jobs() if (found := self.folder.read_judged(name)) is not None}
        progress(0.05, "looking for listings on the wrong shelf")
        concluded = self.methods.conclude(
            course=self,
            subject=subject,
            study_id=study_id,
            created_at=created_at,
            past=past,
            trials={name: kept for name, kept in trials.items() if kept is not None},
            judged=judged,
            clusterings=[row for rows in compared.values() if rows for row in rows],
            seconds=seconds,
            progress=_within(progress, 0.05, 0.4),
        )
        report: dict[str, Any] = json.loads(to_json(concluded))
        progress(0.4, "drawing the figures")
        self.folder.write_json(WRONG_SHELVES, shelves(report))
        for name, content in self.methods.render(report, self.studied.photo).items():
            if name != "report.json":
                self.folder.write(name, content, file_type(name) or "application/octet-stream")
        self.folder.write_json("report.json", report)
        progress(1.0, "concluded")
        return report

    def features(self) -> dict[str, Features]:
        """The features of the single extractors whose trials are done."""
        found = {name: self.folder.read_features(name) for name in self._done()}
        return {name: features for name, features in found.items() if features is not None}

    def keep_trial(self, name: str, rows: list[Row], picture: Any = None, matrix: Any = None) -> list[Row]:
        """Write down how a trial ended; returns its rows as JSON has them."""
        self.folder.write_json(f"{WORK}trials/{name}.json", {"rows": rows, "picture": picture, "matrix": matrix})
        kept = self._kept_trial(name)
        assert kept is not None
        return list(kept["rows"])

    def _trial(self, name: str, modality: Modality, features: Callable[[], Features], progress: Progress) -> list[Row]:
        kept = self._kept_trial(name)
        if kept is not None:
            return list(kept["rows"])
        labels, kinds = self.studied.labels, len(self.studied.categories)
        try:
            found = features()
            self.folder.write_features(found)
            result = self.methods.run(found, labels, kinds, self.plan, progress)
            if self.plan.clusterings:
                self.folder.write_planes(name, result.picture["rows"], result.planes)
            return self.keep_trial(name, list(result.rows), result.picture, result.matrix)
        except Exception as error:
            return self.keep_trial(name, list(self.methods.unavailable(name, modality, *self._ending(error))))

    def _judge(self, name: str, progress: Progress) -> SupervisedResult:
        try:
            return self.methods.judge(self, name, progress)
        except Exception as error:
            return self.methods.unjudged(name, *self._ending(error))

    def _ending(self, error: Exception) -> tuple[TrialStatus, str]:
        """How a part ends that this kept from its figures, and why; raised again where another try may get them."""
        if isinstance(error, TransientFailure):
            raise error
        if isinstance(error, Unavailable | InvalidInput):  # the listings lack what it looks at, or this machine does
            return TrialStatus.UNAVAILABLE, str(error)
        return TrialStatus.FAILED, self._told(error)

    def _compare(self, name: str, progress: Progress) -> list[Row]:
        try:
            features, planes = self.folder.read_features(name), self.folder.read_planes(name)
            labels, kinds = self.studied.labels, len(self.studied.categories)
            return list(self.methods.compare(features, planes, labels, kinds, self.plan, progress))
        except TransientFailure:
            raise
        except Exception as error:
            return self._uncompared(name, self._told(error))

    def _uncompared(self, name: str, reason: str) -> list[Row]:
        kept = self._kept_trial(name)
        assert kept is not None
        return clustering_comparison.failed(name, Modality(kept["rows"][0]["modality"]), self.plan, reason)

    def _told(self, error: Exception) -> str:
        return str(error) if isinstance(error, RayonError) else self.explain(error)

    def _kept_trial(self, name: str) -> dict[str, Any] | None:
        kept: dict[str, Any] | None = self.folder.read_json(f"{WORK}trials/{name}.json")
        return kept

    def _tried(self) -> list[str]:
        return [*self.extractors(), *(self.folder.read_json(PAIRS) or [])]

    def _done(self) -> list[str]:
        kept = {name: self._kept_trial(name) for name in self.extractors()}
        return [n for n, k in kept.items() if k and any(row["status"] == TrialStatus.DONE for row in k["rows"])]


def chosen_extractors(plan: StudyPlan) -> tuple[str, ...]:
    """The plan's extractors, by default every one there is; InvalidInput names those there are for an unknown one."""
    for name in plan.extractors:
        extractor_spec(name)
    wanted = set(plan.extractors)
    return tuple(row.name for row in extractors.EXTRACTORS if row.name in wanted or not wanted)


def comparison(name: str) -> str:
    """Where the comparison on some features is kept."""
    return f"{WORK}clusterings/{name}.json"


def paired(text: Features, image: Features) -> str:
    """The name of a combination."""
    return f"{text.extractor}+{image.extractor}"


def shelves(report: Mapping[str, Any]) -> list[Row]:
    """The report's wrong shelves with the listings they speak of, ready to be listed."""
    rows, categories = report["rows"], report["categories"]

    def listing(index: int) -> Row:
        return {name: rows[index][name] for name in ("listing_id", "key", "name")}

    return [
        {
            "rank": rank,
            **listing(shelf["row"]),
            **{name: value for name, value in shelf.items() if name not in ("row", "neighbours")},
            "neighbours": [
                {**listing(near["row"]), "category": near.get("category", categories[rows[near["row"]]["category"]])}
                | {"similarity": near["similarity"]}
                for near in shelf.get("neighbours", ())
            ],
        }
        for rank, shelf in enumerate(report.get("wrong_shelves", ()), 1)
    ]


def _within(progress: Progress, begin: float, end: float) -> Progress:
    return lambda share, note: progress(begin + (end - begin) * share, note)


def _judged_in_words(row: Mapping[str, Any]) -> str:
    accuracy = row.get("accuracy")
    return f"{row['extractor']}: " + (f"accuracy {accuracy['mean']:.3f}" if accuracy else str(row.get("reason")))
