"""The cache of models in a worker's child process: loaded at first need, the last few kept."""

from __future__ import annotations

from collections import OrderedDict

from infra.storage.model_registry import StorageModelRegistry
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.errors import BadArtefact
from pipeline.domain.model_version import ActiveModel

MAX_MODELS = 3


class ModelCache:
    """Model versions by id; calling it returns the bundle, verified against the digests of its manifest.

    With ``keras`` networks are computed by Keras, from the weights files they were exported from, which the storage
    keeps: for a worker of role tensorflow, where OpenVINO is missing or tensorflow has a GPU. ``threads`` is the number
    of threads of a network in OpenVINO, 0 for one a core.
    """

    def __init__(self, registry: StorageModelRegistry, *, keras: bool = False, threads: int = 0) -> None:
        self._registry = registry
        self._keras = keras
        self._threads = threads
        self._models: OrderedDict[int, TrainedModel] = OrderedDict()

    def __call__(self, model: ActiveModel) -> TrainedModel:
        """The bundle of a version; a promotion needs no restart, since the next batch names another version."""
        loaded = self._models.pop(model.model_id, None)
        if loaded is None:
            loaded = TrainedModel.from_files(self._registry.load(model.version, model.digests))
            self._prepare_networks(loaded)
        self._models[model.model_id] = loaded
        while len(self._models) > MAX_MODELS:
            self._models.popitem(last=False)
        return loaded

    def _prepare_networks(self, model: TrainedModel) -> None:
        from pipeline.features.pretrained_network import PretrainedNetwork

        for name, extractor in model.reader.extractors.items():
            if not isinstance(extractor, PretrainedNetwork):
                continue
            if not self._keras:
                extractor.set_params(threads=self._threads)
                continue
            if extractor.weights_sha256_ is None:
                raise BadArtefact(
                    f"the model does not say which weights its {name} was made of: train again, or serve it with a "
                    "worker of role serve"
                )
            weights = self._registry.weights_of_digest(name, extractor.weights_sha256_)
            extractor.set_params(engine="keras", weights=str(weights))
