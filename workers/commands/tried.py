"""What was tried for photos, as tables: sets of extractors, and views to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.commands.terminal import say, say_table

HEADER = ("photos described by", "photos", "accuracy", "95 % interval", "ms a photo", "size", "")


def say_tried(metrics: Mapping[str, Any]) -> None:
    """A row a set: how often it is right on photos it has not seen, beside what it costs; nothing if none was tried."""
    tried = metrics.get("tried")
    if not tried:
        return
    chosen = metrics.get("image_extractors")
    rows = []
    for row in tried:
        found = row["accuracy"]
        rows.append(
            (
                " + ".join(row["extractors"]),
                row["n"],
                f"{found['mean']:.3f}",
                f"{found['low']:.3f} to {found['high']:.3f}",
                f"{row['milliseconds']:.1f}",
                f"{row['size'] / 1_000_000:.1f} MB",
                "chosen" if row["extractors"] == chosen else "",
            )
        )
    say_table(HEADER, rows)


def say_views(metrics: Mapping[str, Any]) -> None:
    """Held-out accuracy with views of the photos and without, and which was kept; nothing where there were none."""
    found = metrics.get("augmentation")
    if not found:
        return
    gain = found["difference"]
    say(
        f"photos alone {found['plain']['accuracy']['mean']:.3f}, with {found['views']} views "
        f"{found['augmented']['accuracy']['mean']:.3f}: a difference of {gain['mean']:+.3f} "
        f"(95 %: {gain['low']:+.3f} to {gain['high']:+.3f}); {'kept' if found['kept'] else 'left out'}"
    )
