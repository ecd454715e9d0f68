"""Extractors with weights: found through the registry, checked, and reported when missing, all in the same way."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from pipeline.domain import extractors
from pipeline.domain.errors import Unavailable
from pipeline.features import use
from pipeline.features.extractor import load_extractor
from pipeline.features.weights_lookup import find_weights

WITH_WEIGHTS = [row.name for row in extractors.EXTRACTORS if row.takes_weights]


def absent(name: str) -> Path:
    raise Unavailable(f"no weights named {name}")


def test_only_extractors_with_weights_are_looked_up_in_the_registry() -> None:
    asked: list[str] = []

    def weights_path(name: str) -> Path:
        asked.append(name)
        return Path("kept") / name

    found = {row.name: find_weights(row.name, weights_path) for row in extractors.EXTRACTORS}
    assert asked == WITH_WEIGHTS
    assert {name: path for name, path in found.items() if path} == {name: f"kept/{name}" for name in WITH_WEIGHTS}


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_each_extractor_with_weights_checks_them_and_takes_their_path(name: str) -> None:
    kind = load_extractor(name)
    assert list(inspect.signature(kind.check_weights).parameters) == ["location", "folder"]
    assert kind(weights="somewhere").get_params()["weights"] == "somewhere"


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_missing_weights_are_reported_with_the_command_that_installs_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(use, "bundled_weights", lambda _: None)
    for given in (find_weights(name, absent), str(tmp_path / "gone.tar.gz")):
        with pytest.raises(Unavailable) as refusal:
            load_extractor(name)(weights=given).fit([])
        message = str(refusal.value)
        assert message.startswith(f"{name} ")
        assert f"rayon models add {name} " in message or "pip install 'rayon[sentence]'" in message
