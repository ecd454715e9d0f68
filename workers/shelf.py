"""The models a worker holds: loaded at first need, in the child, the last few kept."""

from __future__ import annotations

from collections import OrderedDict

from infra.registry import StorageModelRegistry
from pipeline.classification.bundle import TrainedModel
from pipeline.domain.work import ActiveModel

KEEP = 3


class ModelShelf:
    """Model versions by id; calling it gives the bundle, verified against the digests of its manifest."""

    def __init__(self, registry: StorageModelRegistry) -> None:
        self._registry = registry
        self._held: OrderedDict[int, TrainedModel] = OrderedDict()

    def __call__(self, model: ActiveModel) -> TrainedModel:
        """The bundle of a version; a promotion needs no restart, the next batch just asks for another one."""
        held = self._held.pop(model.model_id, None)
        if held is None:
            held = TrainedModel.from_files(self._registry.load(model.version, model.digests))
        self._held[model.model_id] = held
        while len(self._held) > KEEP:
            self._held.popitem(last=False)
        return held
