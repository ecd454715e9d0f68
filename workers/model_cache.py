"""The cache of models in a worker's child process: loaded on first use, the most recently used ones kept."""

from __future__ import annotations

from collections import OrderedDict

from infra.storage.model_registry import StorageModelRegistry
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.errors import BadArtefact
from pipeline.domain.model_version import ActiveModel

MAX_MODELS = 3


class ModelCache:
    """Model versions by id; calling it returns the trained model, verified against the digests of its manifest.

    With ``use_keras``, networks run in Keras, from the stored weights files that they were exported from: for a worker
    of role tensorflow, where OpenVINO is missing or tensorflow has a GPU. ``threads`` is the number of threads of a
    network in OpenVINO; 0 means one per core.
    """

    def __init__(self, registry: StorageModelRegistry, *, use_keras: bool = False, threads: int = 0) -> None:
        self._registry = registry
        self._use_keras = use_keras
        self._threads = threads
        self._models: OrderedDict[int, TrainedModel] = OrderedDict()

    def __call__(self, model: ActiveModel) -> TrainedModel:
        """The trained model of a version; a promotion needs no restart, since the next batch names the new version."""
        trained_model = self._models.pop(model.model_id, None)
        if trained_model is None:
            trained_model = TrainedModel.from_files(self._registry.load(model.version, model.digests))
            self._prepare_networks(trained_model)
        self._models[model.model_id] = trained_model
        while len(self._models) > MAX_MODELS:
            self._models.popitem(last=False)
        return trained_model

    def _prepare_networks(self, model: TrainedModel) -> None:
        from pipeline.features.pretrained_network import PretrainedNetwork

        for name, extractor in model.reader.extractors.items():
            if not isinstance(extractor, PretrainedNetwork):
                continue
            if not self._use_keras:
                extractor.set_params(threads=self._threads)
                continue
            if extractor.weights_sha256_ is None:
                raise BadArtefact(
                    f"the model does not say which weights its {name} was built from: train again, or serve it with a "
                    "worker of role serve"
                )
            weights = self._registry.weights_of_digest(name, extractor.weights_sha256_)
            extractor.set_params(engine="keras", weights=str(weights))
