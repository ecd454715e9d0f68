"""From a name to an extractor: the rows are those of ``pipeline/domain/extractors.py``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pipeline.domain.extractors import extractor_spec
from pipeline.features.extractor import ImageExtractor, TextExtractor


def load(name: str) -> type[Any]:
    """The class of the extractor, imported now; it meets ``TextExtractor`` or ``ImageExtractor`` as its row says."""
    module, _, attribute = extractor_spec(name).target.partition(":")
    loaded: type[Any] = getattr(import_module(module), attribute)
    return loaded


def build(name: str, weights: str | None = None) -> TextExtractor | ImageExtractor:
    """An unfitted extractor; ``weights`` (a local path) goes to those that take them, which may raise Unavailable."""
    kind = load(name)
    extractor: TextExtractor | ImageExtractor = kind(weights=weights) if extractor_spec(name).takes_weights else kind()
    return extractor
