"""Quick stand-ins for the functions a study is made of: they keep the shapes, count their calls, and learn nothing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality
from pipeline.domain.study import Protocol, StudyPlan, TrialStatus
from pipeline.study.clustering_comparison import empty
from pipeline.study.features import Features
from pipeline.study.study_steps import StudySteps, SupervisedResult

PLANES = np.zeros((1, 1, 2), np.float32)
SPREAD = {"mean": 0.5, "std": 0.1, "low": 0.4, "high": 0.6}


@dataclass
class Quick:
    """Stand-ins; ``fail`` maps the name of an extractor, pair or job to the error it raises."""

    fail: dict[str, Exception] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    seen: dict[str, list[Evidence]] = field(default_factory=dict)
    before: Callable[[str], None] = lambda name: None

    def methods(self) -> StudySteps:
        return StudySteps(
            draw=self.draw,
            fingerprint=self.fingerprint,
            compute=self.compute,
            run=self.run,
            unavailable=self.unavailable,
            pairs=self.pairs,
            combine=self.combine,
            compare=self.compare,
            jobs=self.jobs,
            judge=self.judge,
            unjudged=self.unjudged,
            conclude=self.conclude,
            render=self.render,
        )

    def draw(self, categories: Sequence[str], plan: StudyPlan) -> Any:
        names = [str(Category.parse(category).at_level(plan.level or 1)) for category in categories]
        kinds = sorted(name for name, count in Counter(names).items() if count >= 2)
        if len(kinds) < 2:
            raise InvalidInput(f"fewer than two categories have two listings or more: {', '.join(kinds) or 'none'}")
        chosen = [at for at, name in enumerate(names) if name in kinds][: plan.sample]
        labels = np.array([kinds.index(names[at]) for at in chosen], np.int64)
        return SimpleNamespace(level=plan.level or 1, categories=tuple(kinds), chosen=np.array(chosen), labels=labels)

    def fingerprint(
        self, keys: Sequence[str], texts: Sequence[Evidence], digests: Sequence[str | None], names: Sequence[str]
    ) -> str:
        rows = [
            [key, text.name, digest, name] for key, text, digest, name in zip(keys, texts, digests, names, strict=True)
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def compute(
        self, name: str, evidences: Sequence[Evidence], store: Any, weights: str | None, progress: Any
    ) -> Features:
        self.called(name)
        self.seen[name] = list(evidences)
        modality = extractor_spec(name).modality
        has = np.array([e.has_text if modality is Modality.TEXT else e.photo is not None for e in self.seen[name]])
        progress(1.0, f"computed {name}")
        return Features(name, modality, np.ones((len(has), 3), np.float32), has, 0.1, 1000, 0)

    def run(self, features: Features, labels: Any, kinds: int, plan: StudyPlan, progress: Any) -> Any:
        assert len(labels) == len(features.has)
        figures = {"ari": SPREAD, "ami": 0.5, "v_measure": 0.5, "silhouette": 0.1, "accuracy": 0.6}
        facts = {"method": "kmeans", "n": len(labels), "dimensions": 3, "seconds": 0.2, "memory": 1000, "reused": 0}
        base = {"extractor": features.extractor, "modality": features.modality, **figures, **facts}
        rows = tuple({**base, "protocol": p, "status": "done", "reason": None} for p in "AB")
        progress(1.0, f"clustered {features.extractor}")
        return SimpleNamespace(
            rows=rows, picture={"seed": 0, "rows": [0]}, matrix={"recall": np.array([0.5])}, planes=PLANES
        )

    def unavailable(self, name: str, modality: Modality, status: TrialStatus, reason: str) -> list[dict[str, Any]]:
        base = {"extractor": name, "modality": modality, "status": status, "reason": reason, "ari": None}
        return [{**base, "protocol": protocol} for protocol in "AB"]

    def pairs(self, features: Sequence[Features]) -> list[tuple[Features, Features]]:
        texts = [found for found in features if found.modality is Modality.TEXT]
        images = [found for found in features if found.modality is Modality.IMAGE]
        return [(texts[0], images[0])] if texts and images else []

    def combine(self, text: Features, image: Features) -> Features:
        name = f"{text.extractor}+{image.extractor}"
        self.called(name)
        return Features(name, Modality.FUSED, text.matrix, text.has | image.has, 0.1, 1000, 0)

    def compare(
        self, features: Features, planes: Any, labels: Any, kinds: int, plan: StudyPlan, progress: Any
    ) -> list[dict[str, Any]]:
        self.called(f"compare {features.extractor}")
        assert planes[1].tolist() == PLANES.tolist()
        rows = [empty(features.extractor, features.modality, Protocol.B, method) for method in plan.clusterings]
        return [row | {"ari": SPREAD, "status": "done", "reason": None, "seconds": 0.1} for row in rows]

    def jobs(self, names: Sequence[str]) -> list[str]:
        return list(names)

    def judge(self, course: Any, name: str, progress: Any) -> SupervisedResult:
        self.called(f"judge {name}")
        probabilities = np.full((len(course.studied.labels), len(course.studied.categories)), 0.5, np.float32)
        row = {"extractor": name, "accuracy": SPREAD, "evidence": ["name"], "status": "done", "reason": None}
        return SupervisedResult([row], [{"per_category": 5, "accuracy": SPREAD}], probabilities)

    def unjudged(self, name: str, status: TrialStatus, reason: str) -> SupervisedResult:
        return SupervisedResult(
            [{"extractor": name, "accuracy": None, "evidence": [], "status": status, "reason": reason}]
        )

    def conclude(
        self, course: Any, trials: Mapping[str, Any], judged: Mapping[str, SupervisedResult], **facts: Any
    ) -> dict[str, Any]:
        self.called("conclude")
        shelf = {"row": 0, "given": "a", "proposed": "b", "confidence": 0.9, "given_confidence": 0.1, "score": 0.5}
        studied = course.studied
        return {
            "format": 1,
            "subject": facts["subject"],
            "study_id": facts["study_id"],
            "fingerprint": studied.fingerprint,
            "level": studied.level,
            "categories": list(studied.categories),
            "listings": studied.listings,
            "studied": len(studied.labels),
            "seconds": 1.0,
            "verdict": "promising",
            "trials": [row for kept in trials.values() for row in kept["rows"]],
            "clusterings": list(facts["clusterings"]),
            "supervised": [row for found in judged.values() for row in found.rows],
            "wrong_shelves": [{**shelf, "neighbours": [{"row": 1, "similarity": 0.8}]}],
            "rows": studied.rows(),
            "trend": list(facts["past"]),
        }

    def render(self, report: Mapping[str, Any], photo: Callable[[int], bytes | None]) -> dict[str, bytes]:
        photo(0)
        return {"report.en.html": b"<!doctype html>", "tables/trials.csv": b"extractor\n", "report.json": b"{}"}

    def called(self, name: str) -> None:
        self.calls[name] += 1
        self.before(name)
        if name in self.fail:
            raise self.fail[name]
