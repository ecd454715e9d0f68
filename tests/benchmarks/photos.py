"""Reading and describing a photo, beside a plain full decode and resize of the same photo."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
from PIL import Image

from infra.sample.generator import generate
from pipeline.features.fisher import Fisher
from pipeline.features.photo import read

PHOTOS = 60


def photos() -> dict[str, Any]:
    """Milliseconds a photo, and photos a second."""
    drawn = [jpeg for listing in generate(PHOTOS * 2) if (jpeg := listing.jpeg())][:PHOTOS]
    started = time.perf_counter()
    for content in drawn:
        np.asarray(Image.open(io.BytesIO(content)).convert("RGB").resize((256, 256)))
    plain = time.perf_counter() - started
    started = time.perf_counter()
    decoded = [read(content) for content in drawn]
    reading = time.perf_counter() - started
    fisher = Fisher().fit(decoded[: PHOTOS // 2])
    started = time.perf_counter()
    for photo in decoded:
        fisher.transform([photo])
    describing = time.perf_counter() - started
    return {
        "photos": len(drawn),
        "plain_decode_ms": round(1000 * plain / len(drawn), 2),
        "read_ms": round(1000 * reading / len(drawn), 2),
        "fisher_ms": round(1000 * describing / len(drawn), 2),
        "fisher_photos_per_second": round(len(drawn) / describing, 1),
    }
