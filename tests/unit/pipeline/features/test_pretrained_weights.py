"""All extractors that take weights learn where they are in one way, and say in one way that they have none."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from pipeline.domain import extractors
from pipeline.domain.errors import Unavailable
from pipeline.features import extractor, pretrained_weights

TAKERS = [row.name for row in extractors.EXTRACTORS if row.takes_weights]


def absent(name: str) -> Path:
    raise Unavailable(f"no weights named {name}")


def test_the_registry_is_asked_for_those_that_take_weights_only() -> None:
    asked = []

    def weights_path(name: str) -> Path:
        asked.append(name)
        return Path("kept") / name

    found = {row.name: pretrained_weights.find_weights(row.name, weights_path) for row in extractors.EXTRACTORS}
    assert asked == TAKERS
    assert {name: path for name, path in found.items() if path} == {name: f"kept/{name}" for name in TAKERS}


@pytest.mark.parametrize("name", TAKERS)
def test_each_taker_has_the_same_two_doors(name: str) -> None:
    kind = extractor.load_extractor(name)
    assert list(inspect.signature(kind.check_weights).parameters) == ["given", "folder"]
    assert extractor.build_extractor(name, weights="somewhere").get_params()["weights"] == "somewhere"


@pytest.mark.parametrize("name", TAKERS)
def test_without_weights_each_says_why_and_what_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    for given in (pretrained_weights.find_weights(name, absent), str(tmp_path / "gone.tar.gz")):
        with pytest.raises(Unavailable) as refusal:
            extractor.build_extractor(name, weights=given).fit([])
        said = str(refusal.value)
        assert said.startswith(f"{name} ")
        assert f"rayon models add {name} " in said or "pip install 'rayon[sentence]'" in said
