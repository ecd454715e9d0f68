"""Model files: arrays as ``.npz`` and everything else as JSON. Never a pickle, so a damaged file cannot run code."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import numpy as np

from pipeline.domain.errors import BadArtefact
from pipeline.features.extractor import State


def pack(name: str, state: State) -> dict[str, bytes]:
    """``name.json`` and ``name.npz``; equal states give equal bytes."""
    arrays = {key: value for key, value in sorted(state.items()) if isinstance(value, np.ndarray)}
    for key, value in arrays.items():
        if value.dtype.hasobject:
            raise TypeError(f"{name}.{key} is an array of objects, which only a pickle could hold")
    rest = {key: value for key, value in state.items() if key not in arrays}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return {f"{name}.json": json.dumps(rest, sort_keys=True).encode(), f"{name}.npz": buffer.getvalue()}


def unpack(name: str, files: Mapping[str, bytes]) -> State:
    """The state again; BadArtefact when a file is missing or damaged."""
    try:
        state: State = json.loads(files[f"{name}.json"])
        with np.load(io.BytesIO(files[f"{name}.npz"]), allow_pickle=False) as arrays:
            return {**state, **{key: arrays[key] for key in arrays.files}}
    except KeyError as error:
        raise BadArtefact(f"the model lacks the file {error}") from error
    except Exception as error:  # zip, zlib, numpy and JSON each have errors of their own for a damaged file
        raise BadArtefact(f"the model's {name!r} is damaged: {error}") from error
