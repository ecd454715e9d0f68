"""The cache of embedded category names in a worker's child process, for taxonomies without a model."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from infra.store.listings.labelled_listings import has_labelled, latest_texts
from infra.store.taxonomies.queries import CategoriesRevision, categories_revision, category_entries
from pipeline.classification.category_names import CategoryNames, CategorySuggestions, mean_vector
from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.features.extractor import Floats, TextExtractor

MAX_TAXONOMIES = 3
BACKGROUND_LISTINGS = 100  # whose mean vector is that of the catalogue
RECHECK_SECONDS = 30.0  # until the first listings and labels of a taxonomy are seen

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _CachedNames:
    """The names of a taxonomy at one revision, and what was known of its listings at ``checked_at``."""

    names: CategoryNames
    revision: CategoriesRevision | None = None
    background: Floats | None = None
    n_background: int = 0
    has_labels: bool = False
    checked_at: float = float("-inf")


class SuggestionCache:
    """Suggestions by taxonomy; calling it returns them, or None without categories or where there is no encoder.

    The encoder is built on first use. Names are embedded again only where they have changed.
    """

    def __init__(
        self, engine: Engine, build_encoder: Callable[[], TextExtractor], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._build_encoder = build_encoder
        self._clock = clock
        self._encoder: TextExtractor | None = None
        self._is_unavailable = False
        self._taxonomies: OrderedDict[int, _CachedNames] = OrderedDict()

    def __call__(self, taxonomy_id: int) -> CategorySuggestions | None:
        """What ranks the listings of this taxonomy."""
        encoder = self._open_encoder()
        if encoder is None:
            return None
        cached = self._taxonomies.setdefault(taxonomy_id, _CachedNames(CategoryNames(encoder)))
        self._taxonomies.move_to_end(taxonomy_id)
        while len(self._taxonomies) > MAX_TAXONOMIES:
            self._taxonomies.popitem(last=False)
        with self._engine.connect() as connection:
            revision = categories_revision(connection, taxonomy_id)
            if not revision.categories:
                return None
            is_new = revision != cached.revision
            entries = category_entries(connection, taxonomy_id, with_retired=False) if is_new else None
            if self._clock() - cached.checked_at >= RECHECK_SECONDS:
                self._check_listings(connection, taxonomy_id, cached)
        if entries is not None:
            cached.names.fit(entries)
            cached.revision = revision
        if not cached.names.leaves_:  # all are retired
            return None
        return CategorySuggestions(cached.names, cached.background, cached.has_labels)

    def _check_listings(self, connection: Connection, taxonomy_id: int, cached: _CachedNames) -> None:
        cached.checked_at = self._clock()
        cached.has_labels = cached.has_labels or has_labelled(connection, taxonomy_id)
        if cached.n_background < BACKGROUND_LISTINGS:
            texts = latest_texts(connection, taxonomy_id, BACKGROUND_LISTINGS)
            if len(texts) > cached.n_background:
                cached.background = mean_vector(cached.names.encode(texts))
                cached.n_background = len(texts)

    def _open_encoder(self) -> TextExtractor | None:
        if self._encoder is None and not self._is_unavailable:
            try:
                self._encoder = self._build_encoder()
            except (Unavailable, BadArtefact) as error:
                self._is_unavailable = True
                log.warning("listings of taxonomies without a model get no suggestions: %s", error)
        return self._encoder
