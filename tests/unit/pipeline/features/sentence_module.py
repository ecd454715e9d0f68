"""A SavedModel with the signature of the Universal Sentence Encoder, opened by the extractor in every way it offers.

Run as a program, so that tensorflow stays out of the process of the tests:
``python -m tests.unit.pipeline.features.sentence_module FOLDER ANSWERING SILENT`` writes its results to ``FOLDER``.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.domain.errors import RayonError
from pipeline.domain.listing import Evidence
from pipeline.features import use
from pipeline.features.use import UniversalSentenceEncoder

LISTINGS = [
    Evidence("Blue cotton curtain", "Key Features of the curtain"),
    Evidence("Red cotton curtain", "another description"),
    Evidence("Steel watch \ud83d"),
    Evidence("", "", {"only": "attributes"}),
    Evidence("montre en acier brossé", "A watch"),
]


def write_module(folder: Path, width: int = use.WIDTH, seed: int = 7) -> Path:
    """Strings (n,) to float32 (n, width): the mean of a random vector of each pair of letters, from an asset's list."""
    import tensorflow as tf

    class Encoder(tf.Module):  # type: ignore[misc]
        def __init__(self, asset: Path) -> None:
            super().__init__()
            asset.write_text("\n".join(f"{a}{b}" for a in "abcdefgh" for b in "aeiou"))
            self.asset = tf.saved_model.Asset(str(asset))
            known = tf.lookup.TextFileInitializer(
                self.asset, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
            )
            self.table = tf.lookup.StaticVocabularyTable(known, 500)
            vectors = np.random.default_rng(seed).standard_normal((540, width)).astype(np.float32)
            self.vectors = tf.Variable(vectors)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]
        def __call__(self, texts: Any) -> Any:
            pairs = tf.strings.ngrams(tf.strings.unicode_split(tf.strings.lower(texts), "UTF-8"), 2, separator="")
            ids = tf.ragged.map_flat_values(self.table.lookup, pairs)
            return tf.reduce_mean(tf.ragged.map_flat_values(tf.gather, self.vectors, ids), axis=1)

    folder.mkdir(parents=True)
    tf.saved_model.save(Encoder(folder.parent / f"{folder.name}-vocabulary.txt"), str(folder))
    return folder


def fit_outcome(weights: str | None) -> dict[str, str | float]:
    """Class and message of the error that fitting ends in (`none` and empty: it succeeds), and its seconds."""
    begun = time.perf_counter()
    try:
        UniversalSentenceEncoder(weights).fit(LISTINGS)
    except RayonError as error:
        return {"class": type(error).__name__, "error": str(error), "seconds": time.perf_counter() - begun}
    return {"class": "none", "error": "", "seconds": time.perf_counter() - begun}


def main() -> None:
    """Write the modules, open them in every way, write vectors and outcomes."""
    folder, answering, silent = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.environ["TFHUB_CACHE_DIR"] = str(folder / "cache")
    setattr(use, "bundled_weights", lambda _: None)  # noqa: B010 - as where the package with the installed encoder is missing
    module = write_module(folder / "module")
    kept = UniversalSentenceEncoder.check_weights(str(module), folder).path
    found: dict[str, Any] = {"kept": str(kept), "empty cache": fit_outcome(None)}
    fitted = {
        way: UniversalSentenceEncoder(weights).fit(LISTINGS)
        for way, weights in (("folder", str(module)), ("archive", str(kept)), ("address", answering))
    }
    found["cached again"] = UniversalSentenceEncoder(answering).fit([]).digest_
    (downloaded,) = (path for path in (folder / "cache").iterdir() if path.is_dir())
    write_module(folder / "other", seed=8)
    restored = UniversalSentenceEncoder.from_state(fitted["folder"].state())
    vectors: dict[str, Any] = {way: extractor.transform(LISTINGS) for way, extractor in fitted.items()}
    vectors["restored"] = restored.set_params(weights=str(kept)).transform(LISTINGS)
    vectors["many"] = fitted["folder"].transform(LISTINGS * 60)
    for name, weights in (("lost", None), ("another", str(folder / "other"))):
        try:
            UniversalSentenceEncoder.from_state(fitted["folder"].state()).set_params(weights=weights).transform([])
        except RayonError as error:
            found[name] = {"class": type(error).__name__, "error": str(error)}
    downloaded.rename(downloaded.parent / hashlib.sha1(use.MODULE_URL.encode()).hexdigest())
    found["published cache"] = fit_outcome(None)
    use.RESPONSE_TIMEOUT_SECONDS = 1.0
    found["silent"] = fit_outcome(silent)
    found["refused"] = fit_outcome("http://127.0.0.1:1/module")
    found["timeout afterwards"] = socket.getdefaulttimeout()
    (folder / "damaged").mkdir()
    (folder / "damaged" / "saved_model.pb").write_bytes((module / "saved_model.pb").read_bytes()[:3000])
    found["damaged"] = fit_outcome(str(folder / "damaged"))
    found["narrow"] = fit_outcome(str(write_module(folder / "narrow", width=3)))
    found["digests"] = {way: extractor.digest_ for way, extractor in fitted.items()}
    np.savez(folder / "vectors.npz", **vectors)
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
