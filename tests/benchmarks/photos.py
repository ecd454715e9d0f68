"""The cost of a photo: decoded in full, read at a fraction of its size, described; by one thread and by two."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from infra.sample.generator import generate
from pipeline.features.fisher import Fisher
from pipeline.features.photo_decoding import MAX_SIDE, decode_photo

PHOTOS = 60
SIDES = (320, 512, 1100, 2400)  # pixels: a thumbnail, a shop page, a seller's photo, a telephone's camera
ROUNDS = 3
THREADS = (1, 2)
_GRAIN = 4.0  # grey levels of sensor noise: JPEGs of smooth drawings would decode too fast


def photos() -> dict[str, Any]:
    """By the side of the JPEG: kilobytes, milliseconds of one core per photo and step, photos per second by threads."""
    drawn = [jpeg for listing in generate(PHOTOS * 2) if (jpeg := listing.jpeg())][:PHOTOS]
    with threadpool_limits(1):
        cv2.setNumThreads(1)
        fisher = Fisher().fit([decode_photo(content) for content in drawn])
        return {"photos": len(drawn), "sides": {str(side): _measured(drawn, side, fisher) for side in SIDES}}


def _measured(drawn: Sequence[bytes], side: int, fisher: Fisher) -> dict[str, Any]:
    fewer = drawn[: max(12, len(drawn) * SIDES[0] // side)]  # fewer large ones, which cost more
    contents = [enlarged(content, side, seed) for seed, content in enumerate(fewer)]

    def both(content: bytes) -> object:
        return fisher.transform([decode_photo(content)])

    decoded = [decode_photo(content) for content in contents]
    described = fisher.describe(decoded)
    steps: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]] = {
        "full_decode": (_full, contents),
        "read": (decode_photo, contents),
        "describe": (lambda photo: fisher.describe([photo]), decoded),
        "vector": (lambda rows: fisher.transform_descriptors([rows]), described),
    }
    found = {f"{name}_ms": round(_milliseconds(do, inputs), 2) for name, (do, inputs) in steps.items()}
    return {
        "kilobytes": round(sum(map(len, contents)) / len(contents) / 1000, 1),
        **found,
        "fisher_ms": round(found["describe_ms"] + found["vector_ms"], 2),
        "read_photos_per_second": {threads: _rate(decode_photo, contents, threads) for threads in THREADS},
        "read_and_fisher_photos_per_second": {threads: _rate(both, contents, threads) for threads in THREADS},
    }


def enlarged(content: bytes, side: int, seed: int) -> bytes:
    """The picture as a JPEG of ``side`` by ``side`` pixels, with the noise of a camera."""
    picture = Image.open(io.BytesIO(content)).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(seed).normal(0, _GRAIN, (side, side, 1))
    grainy = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    grainy.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _full(content: bytes) -> object:
    """The plain way: decode every pixel, then discard most."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    return np.asarray(picture.resize((MAX_SIDE, MAX_SIDE), Image.Resampling.BICUBIC))


def _milliseconds(do: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    """Processor time of one input in the best round, which other work on the machine affects least."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for each in inputs:
            do(each)
        best = min(best, time.process_time() - started)
    return 1000 * best / len(inputs)


def _rate(do: Callable[[Any], Any], inputs: Sequence[Any], threads: int) -> float:
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            list(pool.map(do, inputs))
            best = min(best, time.perf_counter() - started)
    return round(len(inputs) / best, 1)
