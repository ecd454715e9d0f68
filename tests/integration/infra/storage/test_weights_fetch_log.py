"""Weights fetched into each kind of storage, and what is remembered of them there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra.safe_fetch.published_file_download import DownloadPolicy
from infra.settings import read_settings
from infra.storage.model_registry import StorageModelRegistry
from infra.storage.storage_interface import FileTransferStorage
from infra.storage.weights_fetch_log import AcceptedWeights, WeightsFetchLog
from pipeline.domain import extractors
from pipeline.domain.bundled_weights import all_bundled_weights
from pipeline.domain.published_file import PublishedFile
from pipeline.networks.backbones import find_backbone
from tests.integration.infra.safe_fetch.file_host import running_file_host
from tests.unit.pipeline.networks.samples import write_weights
from workers import weights_installation
from workers.bootstrap import build

BUNDLED = {weights.extractor for weights in all_bundled_weights()}


def test_fetched_weights_and_their_records_are_in_the_storage(
    storage: FileTransferStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings(
        {"DATABASE_URL": "postgresql+psycopg2://nobody@127.0.0.1:1/none", "RAYON_HOME": str(tmp_path)}
    )
    context = replace(build(settings), storage=storage, registry=StorageModelRegistry(storage, tmp_path / "cache"))
    assert context.registry.available_weights() == BUNDLED
    assert context.registry.weights_digest("squeezenet") is None
    content = write_weights(find_backbone("squeezenet"), tmp_path / "w.h5").read_bytes()
    fetch_log = WeightsFetchLog(storage)
    assert fetch_log.record_failure("squeezenet", "closed").failures == 1
    assert fetch_log.record_failure("squeezenet", "closed").failures == 2
    with running_file_host(content) as host:
        published = PublishedFile("squeezenet.h5", host.address, len(content))
        rows = (replace(row, published=published) if row.name == "squeezenet" else row for row in extractors.EXTRACTORS)
        monkeypatch.setattr(extractors, "EXTRACTORS", tuple(rows))
        kept = weights_installation.fetch_weights(
            context, "squeezenet", lambda _share, _note: None, policy=DownloadPolicy()
        )
    assert fetch_log.failed("squeezenet") is None
    assert fetch_log.accepted("squeezenet") == AcceptedWeights(kept.sha256, kept.sha256)
    assert context.registry.available_weights() == BUNDLED | {"squeezenet"}
    assert context.registry.weights_digest("squeezenet") == kept.sha256
    assert StorageModelRegistry(storage, tmp_path / "other").weights_path("squeezenet").read_bytes() == content
