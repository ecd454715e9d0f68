"""Believable report dicts: small, large, and with any part missing; their photos are drawn by the sample catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.sample.generator import generate
from tests.unit.pipeline.study_report.clustering_samples import clusterings

Report = dict[str, Any]
CATEGORIES = (
    "Baby Care",
    "Beauty and Personal Care",
    "Computers",
    "Home Decor & Festive Needs",
    "Home Furnishing",
    "Kitchen & Dining",
    "Watches",
)
# extractor: modality, how cleanly its groups lie apart, seconds, bytes
EXTRACTORS = {
    "bag_of_words": ("text", 1.6, 4.2, 61_000_000),
    "tfidf": ("text", 2.1, 5.9, 83_000_000),
    "word2vec": ("text", 2.7, 21.4, 148_000_000),
    "sift": ("image", 0.7, 64.0, 402_000_000),
    "fisher": ("image", 1.1, 18.7, 171_000_000),
    "word2vec+fisher": ("fused", 3.1, 0.8, 24_000_000),
}
WORDS = (
    "cotton",
    "set of 2",
    "analog",
    "printed",
    "ceramic",
    "pour femme",
    "5 m",
    "USB",
    "blue",
    "à rayures",
    "classic",
)
ATTRIBUTION = "Products by everybody & co"
FINGERPRINT = "9f2c4be07d1a35806ee4cf51c0b7a6d28f3e91b4407c5ad2136e8f90ab7c2d11"


def believable(
    categories: Sequence[str] = CATEGORIES,
    rows: int = 240,
    extractors: Sequence[str] = tuple(EXTRACTORS),
    seed: int = 7,
) -> Report:
    """A report as a study would conclude it; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    kinds = len(categories)
    labels = np.sort(np.concatenate([np.arange(kinds).repeat(2), rng.integers(kinds, size=max(0, rows - 2 * kinds))]))
    report = _facts(categories, labels)
    for name in extractors:
        modality, apart, seconds, memory = EXTRACTORS[name]
        points, clusters = _map(rng, labels, kinds, apart)
        right = float(np.mean(clusters == labels))
        report["pictures"][name] = {
            "seed": int(rng.integers(10)),
            "rows": list(range(len(labels))),
            "points": points.round(3).tolist(),
            "clusters": clusters.tolist(),
        }
        matrix = np.zeros((kinds, kinds), dtype=int)
        np.add.at(matrix, (labels, clusters), 1)
        recall = matrix.diagonal() / matrix.sum(axis=1)
        report["matrices"][name] = {"matrix": matrix.tolist(), "recall": recall.round(4).tolist()}
        for protocol in ("A", "B"):
            ari = max(0.02, right * 0.85 - 0.05 - (0.11 if protocol == "A" else 0))
            report["trials"].append(_trial(name, modality, protocol, ari, right, len(labels), seconds, memory))
    report["trials"] += _unavailable()
    best = max((t for t in report["trials"] if t["ari"]), key=lambda t: t["ari"]["mean"], default=None)
    if best is not None:
        report["hardest_pairs"] = _pairs(best["extractor"], report, labels)
    report["clusterings"] = clusterings(report["trials"])
    report["supervised"] = _supervised(extractors, len(labels))
    report["learning_curve"] = [
        {"modality": m, "per_category": n, "accuracy": spread(top - drop / n**0.7, 0.012)}
        for m, top, drop in (("text", 0.96, 0.9), ("image", 0.82, 1.1), ("fused", 0.975, 0.8))
        for n in (5, 10, 20, 40, 80)
    ]
    report["wrong_shelves"] = _wrong(rng, report, labels)
    report["findings"] = _findings(report)
    report["trend"] = _trend()
    return report


def grocery(rows: int = 3000) -> Report:
    """81 categories on three levels, more rows than a map draws."""
    departments = {"Fruit": 34, "Packages": 27, "Vegetables": 20}
    paths = [
        f"{department} >> {department} kind {n // 2 + 1} >> {department} sort {n + 1}"
        for department, count in departments.items()
        for n in range(count)
    ]
    report = believable(sorted(paths), rows, ("tfidf",), seed=3)
    aris = {"text": 0.41, "image": 0.12, "fused": None}
    report["levels"] = [
        {"level": level, "categories": count, "enough": 1 - level / 50, "studied": level == 3, "ari": aris}
        for level, count in ((1, 3), (2, 42), (3, 81))
    ]
    return report


def spread(mean: float, std: float) -> dict[str, float]:
    """A Spread as JSON."""
    return {"mean": mean, "std": std, "low": mean - 1.4 * std, "high": mean + 1.3 * std}


@cache
def drawn_photos(count: int = 40) -> tuple[bytes, ...]:
    """Photos of the sample catalogue."""
    return tuple(jpeg for sample in generate(count) if (jpeg := sample.jpeg()))


def photo_of_row(row: int) -> bytes | None:
    """A photo for each row, none for every 60th."""
    drawn = drawn_photos()
    return None if row % 60 == 5 else drawn[row % len(drawn)]


def _facts(categories: Sequence[str], labels: NDArray[np.int64]) -> Report:
    names = [f"{WORDS[i % len(WORDS)].capitalize()} {_leaf(categories[c])}, no. {i}" for i, c in enumerate(labels)]
    return {
        "format": 1,
        "subject": "place-de-marche",
        "study_id": 12,
        "created_at": "2026-11-24T13:00:00+00:00",
        "level": 1 + categories[0].count(" >> "),
        "categories": list(categories),
        "counts": np.bincount(labels, minlength=len(categories)).tolist(),
        "listings": len(labels) + 61,
        "studied": len(labels),
        "without_photo": 3,
        "without_text": 0,
        "fingerprint": FINGERPRINT,
        "seeds": list(range(10)),
        "perplexity": 30.0,
        "libraries": {"scikit-learn": "1.9.1", "openTSNE": "1.0.2", "gensim": "4.4.0", "numpy": "2.3.0"},
        "seconds": 312.6,
        "verdict": "feasible",
        "levels": [],
        "trials": [],
        "pictures": {},
        "matrices": {},
        "hardest_pairs": [],
        "attributions": [ATTRIBUTION],
        "rows": [
            {"key": f"SKU-{i:05d}", "listing_id": 1000 + i, "name": names[i], "category": int(c)}
            | {"attribution": None if i % 3 else 0}
            for i, c in enumerate(labels)
        ],
    }


def _leaf(category: str) -> str:
    return category.split(" >> ")[-1].lower()


def _map(
    rng: np.random.Generator, labels: NDArray[np.int64], kinds: int, apart: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points in blobs on a sunflower, and the nearest blob's category as each point's cluster."""
    angle, radius = np.arange(kinds) * 2.399963, np.sqrt(np.arange(kinds) + 0.6)
    centres = 5.2 * apart * np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    points = centres[labels] + rng.normal(scale=7.0, size=(len(labels), 2))
    clusters = np.argmin(((points[:, None, :] - centres[None]) ** 2).sum(axis=2), axis=1)
    return points, clusters


def _trial(
    name: str, modality: str, protocol: str, ari: float, right: float, n: int, seconds: float, memory: int
) -> dict[str, Any]:
    return {
        "extractor": name,
        "modality": modality,
        "protocol": protocol,
        "method": "kmeans",
        "ari": spread(ari, 0.021 if protocol == "B" else 0.034),
        "ami": ari + 0.02,
        "v_measure": ari + 0.03,
        "silhouette": 0.43 if protocol == "B" else 0.11,
        "accuracy": right,
        "n": n,
        "dimensions": 2 if protocol == "B" else 100,
        "seconds": seconds * (1.7 if protocol == "B" else 1.0),
        "memory": memory,
        "reused": n if name == "tfidf" else 0,
        "status": "done",
        "reason": None,
    }


def _unavailable() -> list[dict[str, Any]]:
    why = "the weights of vgg16 are not here; fetch them with: rayon models fetch vgg16"
    rows = []
    figures = dict.fromkeys(("ari", "ami", "v_measure", "silhouette", "accuracy", "n", "dimensions", "seconds"))
    figures |= dict.fromkeys(("memory", "reused"))
    for name, modality, status, reason in (
        ("vgg16", "image", "unavailable", why),
        ("use", "text", "failed", "the worker ended while it was at work (out of memory?), three times"),
    ):
        rows += [
            {"extractor": name, "modality": modality, "protocol": p, "method": "kmeans", **figures}
            | {"status": status, "reason": reason}
            for p in ("A", "B")
        ]
    return rows


def _pairs(extractor: str, report: Report, labels: NDArray[np.int64]) -> list[dict[str, Any]]:
    matrix = np.array(report["matrices"][extractor]["matrix"])
    both = np.triu(matrix + matrix.T, 1)
    pairs = []
    for flat in np.argsort(-both, axis=None)[:6]:
        a, b = (int(i) for i in np.unravel_index(int(flat), both.shape))
        if both[a, b] == 0:
            break
        names = report["categories"]
        examples = [{"row": int(r), "given": names[a], "said": names[b]} for r in np.flatnonzero(labels == a)[:4]]
        share = float(both[a, b] / (matrix[a].sum() + matrix[b].sum()))
        pair = {"extractor": extractor, "a": names[a], "b": names[b], "confused": int(both[a, b]), "share": share}
        pairs.append({**pair, "examples": examples})
    return pairs


def _supervised(extractors: Sequence[str], n: int) -> list[dict[str, Any]]:
    evidence = {"text": ["name", "description"], "image": ["photo"], "fused": ["name", "description", "photo"]}
    level = {"text": 0.951, "image": 0.79, "fused": 0.966}
    rows = []
    for i, name in enumerate(extractors):
        modality = EXTRACTORS[name][0]
        figures = {"accuracy": spread(level[modality] - 0.01 * (i % 3), 0.008), "n": n, "folds": 5, "repeats": 2}
        figures |= {"macro_f1": spread(level[modality] - 0.02, 0.01), "seconds": 12.0 + i, "status": "done"}
        rows.append({"extractor": name, "modality": modality, "evidence": evidence[modality], "reason": None} | figures)
        if name == "tfidf":
            more = {"evidence": ["name", "description", "attributes"], "accuracy": spread(0.968, 0.006)}
            rows.append(rows[-1] | more)
    return rows


def _wrong(rng: np.random.Generator, report: Report, labels: NDArray[np.int64]) -> list[dict[str, Any]]:
    names = report["categories"]
    found = []
    for rank, row in enumerate(rng.choice(len(labels), size=min(30, len(labels)), replace=False).tolist()):
        given = int(labels[row])
        proposed = (given + 1 + rank) % len(names)
        if proposed == given:
            proposed = (given + 1) % len(names)
        near = np.flatnonzero(labels == proposed)[:3].tolist()
        neighbours = [{"row": r, "category": names[proposed], "similarity": 0.9 - 0.06 * i} for i, r in enumerate(near)]
        sure = {"confidence": 0.985 - 0.015 * rank, "given_confidence": 0.004 + 0.004 * rank, "score": 0.98 - rank / 50}
        found.append({"row": row, "given": names[given], "proposed": names[proposed], **sure, "neighbours": neighbours})
        found[-1]["attribution"] = ATTRIBUTION if rank < 2 else None
    return found


def _findings(report: Report) -> list[dict[str, Any]]:
    found = []
    for modality in ("text", "image", "fused"):
        rows = [t for t in report["trials"] if t["modality"] == modality and t["protocol"] == "B" and t["ari"]]
        if rows:
            best = max(rows, key=lambda t: t["ari"]["mean"])
            figures = {"extractor": best["extractor"], "ari": best["ari"]["mean"], "accuracy": best["accuracy"]}
            found.append({"code": f"best_{modality}", **figures})
    rows = report["supervised"]
    if rows:
        best = max(rows, key=lambda r: r["accuracy"]["mean"])
        figures = {"extractor": best["extractor"], "modality": best["modality"], "accuracy": best["accuracy"]["mean"]}
        found.append({"code": "supervised"} | figures)
    limits = {"ari_feasible": 0.5, "accuracy_feasible": 0.85, "ari_promising": 0.25, "accuracy_promising": 0.7}
    return [*found, {"code": "threshold", **limits}]


def _trend() -> list[dict[str, Any]]:
    return [
        {
            "study_id": study,
            "created_at": f"2026-{month:02d}-02T05:00:00+00:00",
            "fingerprint": FINGERPRINT[study:] + FINGERPRINT[:study],
            "listings": listings,
            "studied": listings,
            "level": 1,
            "verdict": verdict,
            "best": {"text": text, "image": image, "fused": fused},
        }
        for study, month, listings, verdict, text, image, fused in (
            (8, 8, 120, "promising", 0.44, None, None),
            (9, 9, 180, "promising", 0.51, 0.19, 0.53),
            (11, 10, 230, "feasible", 0.63, 0.24, 0.66),
        )
    ]
