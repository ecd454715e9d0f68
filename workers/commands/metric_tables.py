"""Tables of held-out figures: of a model, of an evaluation, and of the extractor sets that were compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.domain.prediction import Modality
from workers.commands.terminal import print_line, print_table

MAX_SIMILAR = 10  # pairs of categories that are shown
COLUMNS = ("accuracy", "macro_f1", "calibration_error", "coverage", "precision")
HEADER = ("", "listings", "accuracy", "macro F1", "calibration error", "coverage", "precision")
PRECISIONS = ("0.95", "0.99")
LEVELS_HEADER = (
    "level",
    "categories",
    "accuracy",
    "coverage at precision .95",
    "coverage at precision .99",
    "decided here or below",
)
SETS_HEADER = ("photo extractors", "photos", "accuracy", "95 % interval", "ms per photo", "size", "")


def print_metrics(metrics: Mapping[str, Any]) -> None:
    """Print a row per modality; coverage is the share of assigned listings, precision that of right ones among them."""
    rows = []
    for modality in Modality:
        figures = metrics.get(modality.value) or {}
        if figures.get("n"):
            rows.append((modality.value, figures["n"], *(_three_decimals(figures.get(column)) for column in COLUMNS)))
    if not rows:
        print_line("there are no held-out figures")
        return
    print_table(HEADER, rows)


def print_evaluation(name: str, report: Mapping[str, Any]) -> None:
    """Print an evaluation of the file ``name``; ``report`` is what ``rayon evaluate --json`` prints."""
    print_line(f"{name}, level {report['level']}, {len(report['categories'])} categories, seed {report['seed']}")
    print_metrics(report)
    print_hierarchy(report)
    if "groups" in report:
        print_line(f"{report['groups']} groups of listings: variants of one product are never in two folds")
    print_similar_categories(report)
    if gain := report.get("fused_less_text"):
        low, high = gain["low"], gain["high"]
        print_line(f"fused minus text: {gain['mean']:+.4f} (95 %: {low:+.4f} to {high:+.4f}, {gain['n']} listings)")
    if unknown := report.get("strangers"):
        print_line(
            f"it assigns a share of {unknown['assigned']:.3f} of the listings of categories it was not trained on "
            f"({unknown['n']} listings, {len(unknown['categories'])} categories held out one at a time)"
        )
    print_line(f"{report['seconds']:.0f} s")


def print_learning_curve(name: str, report: Mapping[str, Any]) -> None:
    """Print the accuracies by number of labels of the file ``name``, a row for each number."""
    print_line(f"{name}, level {report['level']}, the mean of {report['draws']} draws (lowest to highest)")
    points = {(point["labels"], point["modality"]): point for point in report["shots"]}
    modalities = list(dict.fromkeys(point["modality"] for point in report["shots"]))
    rows = []
    for labels in sorted({labels for labels, _ in points}):
        cells = [points.get((labels, modality)) for modality in modalities]
        texts = [f"{cell['accuracy']:.3f} ({cell['low']:.3f}-{cell['high']:.3f})" if cell else "-" for cell in cells]
        rows.append((labels, *texts))
    print_table(("labels a category", *modalities), rows)
    print_line(f"{report['seconds']:.0f} s")


def print_hierarchy(metrics: Mapping[str, Any]) -> None:
    """Print a row per level of the taxonomy, and the figures of the deepest answers; older manifests have neither."""
    hierarchy = metrics.get("hierarchy")
    if not hierarchy:
        return
    rows = [
        (
            row["level"],
            row["categories"],
            _three_decimals(row["accuracy"]),
            *(_coverage(row["coverage_at"][precision]) for precision in PRECISIONS),
            _three_decimals(row["answered"]),
        )
        for row in hierarchy["levels"]
    ]
    print_table(LEVELS_HEADER, rows)
    for precision in PRECISIONS:
        figures = hierarchy["coverage_at"][precision]
        by_depth = f"{figures['by_depth']:.3f} counted by depth"
        print_line(f"deepest answers at precision {precision}: {_coverage(figures)}, {by_depth}")
    answers = hierarchy["answers"]
    mean_depth = answers["mean_depth"]
    print_line(
        f"decided: {answers['coverage']:.3f} of the listings, {answers['by_depth']:.3f} counted by depth"
        + (f", at level {mean_depth:.2f} on average" if mean_depth is not None else "")
    )
    print_line(f"hierarchical F1 of the most probable paths: {hierarchy['f1']:.3f}")


def print_similar_categories(report: Mapping[str, Any]) -> None:
    """Print the rarest pairs of categories that are probably one; a manifest of an older version has none."""
    for pair in report.get("similar_categories", ())[:MAX_SIMILAR]:
        print_line(
            f"'{pair['rare']}' ({pair['rare_count']}) looks like '{pair['frequent']}' ({pair['frequent_count']})"
        )


def print_extractor_sets(metrics: Mapping[str, Any]) -> None:
    """Print a row per set of photo extractors that was compared: its held-out accuracy and its cost."""
    compared = metrics.get("tried")
    if not compared:
        return
    chosen = metrics.get("image_extractors")
    rows = []
    for row in compared:
        figures = row["accuracy"]
        rows.append(
            (
                " + ".join(row["extractors"]),
                row["n"],
                f"{figures['mean']:.3f}",
                f"{figures['low']:.3f} to {figures['high']:.3f}",
                f"{row['milliseconds']:.1f}",
                f"{row['size'] / 1_000_000:.1f} MB",
                "chosen" if row["extractors"] == chosen else "",
            )
        )
    print_table(SETS_HEADER, rows)


def print_comparisons(metrics: Mapping[str, Any]) -> None:
    """Print the held-out accuracy with and without augmented views or a fine-tuned network, if either was tried."""
    if figures := metrics.get("augmentation"):
        _print_comparison(figures, f"with {figures['views']} views", figures["augmented"])
    if figures := metrics.get("finetuning"):
        _print_comparison(figures, "fine-tuned", figures["finetuned"])


def _print_comparison(figures: Mapping[str, Any], name: str, other: Mapping[str, Any]) -> None:
    gain = figures["difference"]
    print_line(
        f"photos alone {figures['plain']['accuracy']['mean']:.3f}, {name} {other['accuracy']['mean']:.3f}: "
        f"a difference of {gain['mean']:+.3f} (95 %: {gain['low']:+.3f} to {gain['high']:+.3f}); "
        f"{'kept' if figures['kept'] else 'left out'}"
    )


def _coverage(figures: Mapping[str, Any]) -> str:
    """A coverage with the precision that was measured there."""
    precision = figures["precision"]
    return f"{figures['coverage']:.3f}" + (f" (measured {precision:.3f})" if precision is not None else "")


def _three_decimals(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
